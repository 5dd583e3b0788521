from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fingru.backtest.statistics import (
    expected_maximum_sharpe,
    probability_of_backtest_overfitting,
)
from fingru.backtest.summary import strategy_metrics
from fingru.config import with_values
from fingru.record import enter_trial
from fingru.store.database import open_database
from fingru.store.ledger import Trial, record_trial, trials_for
from fingru.trials import FEWEST_BARS, deflation, trial_summary

SHA = "a" * 64
BARS = 400


@pytest.fixture
def database(config):
    return open_database(config.store.runs)


@pytest.fixture
def enter(config):
    """Enter returns as the trial of a configuration of its own."""

    def entered(net, number, *, kind="backtest", sha=SHA, start="2015-01-01", dated=True):
        dates = pd.bdate_range(start, periods=len(net))
        named = with_values(config, {"seed": number})
        return enter_trial(
            named, net, 252.0, (kind, sha, f"run{number}"), dates if dated else None
        )

    return entered


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(0.0, 0.01, (BARS, 8))


def test_the_first_trial_is_not_deflated(enter, noise):
    found = enter(noise[:, 0], 0)
    assert (found.count, found.recorded, found.sharpe_variance) == (1, 1, None)
    assert found.expected_maximum_sharpe == 0.0


def test_unlike_trials_are_deflated_by_their_variance(enter, database, noise):
    shifted = noise + np.linspace(-0.003, 0.003, 8)  # far apart: more than luck
    for number in range(8):
        found = enter(shifted[:, number], number)
    sharpes = shifted.mean(axis=0) / shifted.std(axis=0, ddof=1)
    assert found.observed_variance == pytest.approx(np.var(sharpes, ddof=1), rel=1e-12)
    assert found.sharpe_variance == found.observed_variance
    assert found.observed_variance == trials_for(database, SHA).sharpe_variance


def test_trials_that_are_nearly_one_are_deflated_as_the_few_they_are(enter, noise):
    for number in range(8):
        found = enter(noise[:, 0] + 1e-3 * noise[:, number], number)
    assert found.count == 8
    assert 1.0 <= found.independent < 2.5
    assert found.observed_variance < 1e-5 < found.sharpe_variance
    luck = expected_maximum_sharpe(found.independent) / BARS**0.5
    assert found.expected_maximum_sharpe == pytest.approx(luck, rel=1e-12)


def test_a_few_that_differ_are_not_drowned_by_copies(enter, noise):
    """Variance alone would let the threshold fall with every copy that is added."""
    whitened = np.linalg.qr(noise - noise.mean(axis=0))[0]
    thresholds = []
    for number in range(4):
        thresholds.append(enter(whitened[:, number], number).expected_maximum_sharpe)
    for copy in range(40):
        found = enter(whitened[:, 0] * (1 + copy / 100), 100 + copy)
    assert found.independent == pytest.approx(4.0, abs=1e-9)
    assert found.expected_maximum_sharpe >= expected_maximum_sharpe(4) / BARS**0.5 * (1 - 1e-9)


def test_trials_without_returns_count_as_unlike_all_others(enter, noise):
    for number in range(3):
        enter(noise[:, 0], number)
    found = enter(noise[:, 0], 3, dated=False)
    assert (found.count, found.independent) == (4, 2.0)


def test_the_sharpe_ratio_is_over_the_cash_of_the_configuration(config, database, noise):
    rich = with_values(config, {"simulation.cash_rate": 0.05})
    dates = pd.bdate_range("2015-01-01", periods=BARS)
    enter_trial(rich, noise[:, 0], 252.0, ("backtest", SHA, "run"), dates)
    frame = pd.DataFrame(
        {"date": dates, "net_return": noise[:, 0], "gross_return": noise[:, 0],
         "turnover": 0.0, "cost": 0.0}
    )  # fmt: skip
    told = strategy_metrics(frame, 252.0, cash_rate=0.05)["sharpe"]
    assert trial_summary(database, SHA)["best"]["sharpe"] == pytest.approx(told, rel=1e-12)


def test_the_best_trial_is_deflated_as_its_own_metrics_would_be(enter, database, noise):
    """The ledger's figure and that of ``strategy_metrics`` with the same trials are one."""
    for number in range(8):
        found = enter(noise[:, number], number)
    summary = trial_summary(database, SHA)
    sharpes = noise.mean(axis=0) / noise.std(axis=0, ddof=1)
    best = int(np.argmax(sharpes))
    assert summary["best"]["run_or_study"] == f"run{best}"
    frame = pd.DataFrame(
        {"date": pd.bdate_range("2015-01-01", periods=BARS), "net_return": noise[:, best],
         "gross_return": noise[:, best], "turnover": 0.0, "cost": 0.0}
    )  # fmt: skip
    told = strategy_metrics(
        frame, 252.0, trials=found.count, trial_sharpe_variance=found.sharpe_variance * 252.0
    )
    assert summary["best"]["dsr"] == pytest.approx(told["dsr"], rel=1e-12)
    assert summary["expected_maximum_sharpe"] == pytest.approx(
        found.expected_maximum_sharpe * 252**0.5, rel=1e-12
    )


def test_old_trials_are_deflated_as_if_normal(database, now):
    for number, sharpe in enumerate((0.1, 0.02)):
        record_trial(
            database,
            Trial("backtest", SHA, "old", f"c{number}", sharpe, sharpe * 252**0.5, 401, now),
        )
    found = deflation(database, SHA)
    threshold = expected_maximum_sharpe(2, found.sharpe_variance)
    expected = norm.cdf((0.1 - threshold) * 20 / (1 + 0.5 * 0.01) ** 0.5)
    summary = trial_summary(database, SHA)
    assert summary["best"]["dsr"] == pytest.approx(expected, rel=1e-12)
    assert (summary["pbo"], summary["pbo_trials"]) == (None, 0)


def test_overfitting_is_told_of_all_configurations(enter, database, noise):
    for number in range(8):
        enter(noise[:, number], number)
    enter(noise[:, 3], 3)  # repeated: still one configuration
    summary = trial_summary(database, SHA)
    assert summary["pbo"] == probability_of_backtest_overfitting(noise)
    assert (summary["pbo_trials"], summary["pbo_bars"]) == (8, BARS)
    assert (summary["configurations"], summary["entries"]) == (8, 9)


def test_overfitting_needs_two_configurations_and_enough_bars(enter, database, noise):
    enter(noise[:, 0], 0)
    assert trial_summary(database, SHA)["pbo"] is None
    short = "b" * 64
    for number in range(2):
        enter(noise[: FEWEST_BARS - 1, number], number, sha=short)
    assert trial_summary(database, short)["pbo"] is None


def test_kinds_are_counted_apart_and_together(enter, database, noise):
    enter(noise[:, 0], 0)
    enter(noise[:, 1], 1)
    enter(noise[:, 2], 1, kind="tuning", start="2010-01-01")
    summary = trial_summary(database, SHA)
    assert summary["by_kind"] == {
        "backtest": {"configurations": 2, "entries": 2},
        "tuning": {"configurations": 1, "entries": 1},
    }
    assert summary["configurations"] == 3
    assert summary["pbo_trials"] == 2


def test_a_strategy_that_never_traded_is_a_trial_without_a_ratio(enter, database):
    found = enter(np.zeros(BARS), 0)
    assert found.count == 1
    summary = trial_summary(database, SHA)
    assert summary["best"] is None
    assert summary["expected_maximum_sharpe"] is None


def test_undefined_trials_do_not_take_the_deflation_away(enter, noise):
    """Two trials of which one has no ratio have no variance; what luck gives is left."""
    enter(np.zeros(BARS), 0)
    found = enter(noise[:, 0], 1)
    assert (found.count, found.observed_variance) == (2, None)
    assert found.expected_maximum_sharpe == pytest.approx(
        expected_maximum_sharpe(2) / BARS**0.5, rel=1e-12
    )


def test_no_data_has_no_deflation(database):
    found = deflation(database, SHA)
    assert (found.count, found.sharpe_variance) == (0, None)
    assert trial_summary(database, SHA)["configurations"] == 0
