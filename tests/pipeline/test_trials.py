from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fingru.backtest.summary import strategy_metrics
from fingru.config import with_values
from fingru.measures.inference import effective_returns
from fingru.measures.multiple_testing import (
    expected_maximum_sharpe,
    probability_of_backtest_overfitting,
)
from fingru.pipeline.record import enter_trial
from fingru.pipeline.trials import (
    FEWEST_BARS,
    FEWEST_TRIALS,
    Judged,
    deflation,
    judged_on,
    related_entries,
    trial_summary,
    with_todays_trials,
)
from fingru.store.database import open_database
from fingru.store.ledger import Trial, ledger_entries, record_trial

SHA = "a" * 64
BARS = 400
ASSETS = ("AAA", "BBB")


def summary_of(database, sha):
    return trial_summary(database, ledger_entries(database), sha)


def deflation_of(database, judged):
    return deflation(*related_entries(database, ledger_entries(database), judged))


@pytest.fixture
def database(config):
    return open_database(config.store.runs)


@pytest.fixture
def enter(config):
    """Enter returns as the trial of a configuration of its own."""

    def entered(
        net, number, *, kind="backtest", sha=SHA, start="2015-01-01", dated=True, assets=ASSETS
    ):
        dates = pd.bdate_range(start, periods=len(net))
        named = with_values(config, {"seed": number})
        days = dates if dated else None
        enter_trial(
            named, net, 252.0, kind=kind, data_sha256=sha, source=f"run{number}", dates=days,
            assets=assets,
        )  # fmt: skip
        return deflation_of(open_database(config.store.runs), judged_on(sha, assets, days))

    return entered


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(0.0, 0.01, (BARS, 8))


def test_the_first_trial_is_not_deflated(enter, noise):
    found = enter(noise[:, 0], 0)
    assert (found.count, found.recorded, found.sharpe_variance) == (1, 1, None)
    assert found.expected_maximum_sharpe == 0.0


def test_unlike_trials_are_deflated_by_their_variance(enter, noise):
    shifted = noise + np.linspace(-0.003, 0.003, 8)  # far apart: more than luck
    for number in range(8):
        found = enter(shifted[:, number], number)
    sharpes = shifted.mean(axis=0) / shifted.std(axis=0, ddof=1)
    assert found.observed_variance == pytest.approx(np.var(sharpes, ddof=1), rel=1e-12)
    assert found.sharpe_variance == found.observed_variance


def test_trials_that_are_nearly_one_are_deflated_as_the_few_they_are(enter, noise):
    for number in range(8):
        found = enter(noise[:, 0] + 1e-3 * noise[:, number], number)
    assert found.count == 8
    assert 1.0 <= found.independent < 1.01
    assert found.expected_maximum_sharpe < 0.01 * expected_maximum_sharpe(8) / BARS**0.5


def test_a_few_that_differ_are_not_drowned_by_copies(enter, noise):
    """Variance alone would let the threshold fall with every copy that is added.

    Four independent trials show 1.0294 standard deviations, their best (David and Nagaraja, 2003).
    """
    whitened = np.linalg.qr(noise - noise.mean(axis=0))[0]
    for number in range(4):
        enter(whitened[:, number], number)
    for copy in range(40):
        found = enter(whitened[:, 0] * (1 + copy / 100), 100 + copy)
    assert found.independent == pytest.approx(4.0, rel=0.03)
    worth = np.mean([1 / effective_returns(whitened[:, k]) for k in [0] * 41 + [1, 2, 3]])
    assert found.expected_maximum_sharpe >= 1.0294 * worth**0.5 * 0.98


def test_trials_without_returns_count_as_unlike_all_others(enter, noise):
    for number in range(3):
        enter(noise[:, 0], number)
    found = enter(noise[:, 0], 3, dated=False)
    assert (found.count, found.independent) == (4, pytest.approx(2.0, rel=0.03))


def test_the_sharpe_ratio_is_over_the_cash_of_the_configuration(config, database, noise):
    rich = with_values(config, {"simulation.cash_rate": 0.05})
    dates = pd.bdate_range("2015-01-01", periods=BARS)
    enter_trial(
        rich, noise[:, 0], 252.0, kind="backtest", data_sha256=SHA, source="run", dates=dates
    )
    frame = pd.DataFrame(
        {"date": dates, "net_return": noise[:, 0], "gross_return": noise[:, 0],
         "turnover": 0.0, "cost": 0.0}
    )  # fmt: skip
    told = strategy_metrics(frame, 252.0, cash_rate=0.05)["sharpe"]
    assert summary_of(database, SHA)["best"]["sharpe"] == pytest.approx(told, rel=1e-12)


def test_the_best_trial_is_deflated_as_its_own_metrics_would_be(enter, database, noise):
    """The ledger's figure and that of ``strategy_metrics`` with the same trials are one."""
    for number in range(8):
        found = enter(noise[:, number], number)
    summary = summary_of(database, SHA)
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
    found = deflation_of(database, Judged(SHA))
    threshold = expected_maximum_sharpe(2, found.sharpe_variance)
    expected = norm.cdf((0.1 - threshold) * 20 / (1 + 0.5 * 0.01) ** 0.5)
    summary = summary_of(database, SHA)
    assert summary["best"]["dsr"] == pytest.approx(expected, rel=1e-12)
    assert (summary["pbo"], summary["pbo_trials"]) == (None, 0)


def test_overfitting_is_told_of_all_configurations(enter, database, noise):
    for number in range(8):
        enter(noise[:, number], number)
    enter(noise[:, 3], 3)  # repeated: still one configuration
    summary = summary_of(database, SHA)
    assert summary["pbo"] == probability_of_backtest_overfitting(noise)
    assert (summary["pbo_trials"], summary["pbo_bars"]) == (8, BARS)
    assert (summary["configurations"], summary["entries"]) == (8, 9)


def test_overfitting_needs_eight_configurations_and_enough_bars(enter, database, noise):
    """Of two or three it is noise: .5 to .66 without skill, whatever they are."""
    assert FEWEST_TRIALS == 8
    for number in range(7):
        enter(noise[:, number], number)
    summary = summary_of(database, SHA)
    assert (summary["pbo"], summary["pbo_trials"]) == (None, 7)
    enter(noise[:, 7], 7)
    assert summary_of(database, SHA)["pbo"] is not None
    short = "b" * 64
    for number in range(8):
        enter(noise[: FEWEST_BARS - 1, number], number, sha=short, assets=("ZZZ",))
    summary = summary_of(database, short)
    assert (summary["pbo"], summary["pbo_trials"]) == (None, 8)


def test_kinds_are_counted_apart_and_together(enter, database, noise):
    enter(noise[:, 0], 0)
    enter(noise[:, 1], 1)
    enter(noise[:, 2], 1, kind="tuning", start="2010-01-01")
    summary = summary_of(database, SHA)
    assert summary["by_kind"] == {
        "backtest": {"configurations": 2, "entries": 2},
        "tuning": {"configurations": 1, "entries": 1},
    }
    assert summary["configurations"] == 3
    assert (summary["counted"], summary["on_other_days"]) == (2, 1)
    assert summary["pbo_trials"] == 2


def test_a_strategy_that_never_traded_is_a_trial_without_a_ratio(enter, database):
    found = enter(np.zeros(BARS), 0)
    assert found.count == 1
    summary = summary_of(database, SHA)
    assert summary["best"] is None
    assert summary["expected_maximum_sharpe"] is None


def test_undefined_trials_do_not_take_the_deflation_away(enter, noise):
    """Two trials of which one has no ratio have no variance; what luck gives is left."""
    enter(np.zeros(BARS), 0)
    found = enter(noise[:, 0], 1)
    assert (found.count, found.observed_variance) == (2, None)
    # the best of two independent draws: 1 / sqrt(pi) standard deviations
    worth = (1 / BARS + 1 / effective_returns(noise[:, 0])) / 2
    assert found.expected_maximum_sharpe == pytest.approx((worth / np.pi) ** 0.5, rel=0.02)


def test_no_data_has_no_deflation(database):
    found = deflation_of(database, Judged(SHA))
    assert (found.count, found.sharpe_variance) == (0, None)
    assert summary_of(database, SHA)["configurations"] == 0


OTHER = "b" * 64


@pytest.mark.parametrize(
    ("change", "of_second"),
    [
        ("a bar appended", {}),
        ("an asset left out", {"assets": ("AAA",)}),
        ("another start", {"start": "2014-06-02"}),
        ("another end", {"start": "2015-01-01", "rows": 300}),
        ("an asset more", {"assets": ("BBB", "CCC")}),
    ],
)
def test_prices_of_another_hash_do_not_begin_a_new_count(enter, noise, change, of_second):
    """Whatever changes the hash: the first trial was judged on the same days and assets."""
    rows = of_second.pop("rows", BARS)
    enter(noise[:, 0], 0)
    found = enter(noise[:rows, 1], 1, sha=OTHER, **of_second)
    assert (found.count, found.recorded) == (2, 2), change
    assert found.expected_maximum_sharpe > 0.0


def test_the_same_configuration_on_prices_with_one_bar_more_counts_as_little_as_it_is(
    enter, noise
):
    enter(noise[:-1, 0], 0)
    found = enter(noise[:, 0], 0, sha=OTHER)
    assert found.count == 2
    assert found.independent == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    "unrelated",
    [
        {"assets": ("ZZZ",)},
        {"start": "2010-01-01"},  # ends before: a search on inner splits does
        {"start": "2018-01-01"},
    ],
)
def test_other_days_and_other_assets_are_no_trials_of_these(enter, noise, unrelated):
    enter(noise[:, 0], 0, sha=OTHER, kind="tuning", **unrelated)
    found = enter(noise[:, 1], 1)
    assert found.count == 1
    assert found.on_other_days == ("assets" not in unrelated)


def test_tuning_trials_on_the_test_days_count(enter, noise):
    enter(noise[:, 0], 0, kind="tuning")
    assert enter(noise[:, 1], 1).count == 2


def test_an_old_entry_counts_by_its_prices_until_its_symbols_are_known(enter, database, now):
    rng = np.random.default_rng(1)
    for number, sha in ((0, SHA), (1, OTHER)):
        old = Trial("backtest", sha, "old", f"c{number}", 0.05, 0.8, 300, now)
        record_trial(database, old)
    assert enter(rng.normal(0, 0.01, BARS), 0).count == 2  # its own and the one on these prices
    assert enter(rng.normal(0, 0.01, BARS), 1, sha=OTHER).count == 4


def result_of(result, run_id, net, dates):
    """A stored run of the report's tests whose strategy earned this, entered as that run."""
    from dataclasses import replace

    block = pd.DataFrame({"date": dates, "strategy": "risk_aware", "net_return": net})
    others = result.equity[result.equity["strategy"] != "risk_aware"]
    manifest = result.manifest | {"run_id": run_id}
    manifest["data"] = manifest["data"] | {"sha256": SHA, "assets": list(ASSETS)}
    trials = {"count": 1, "sharpe_variance": None, "counted": True}
    metrics = result.metrics | {"trials": trials}
    return replace(result, equity=pd.concat([block, others]), metrics=metrics, manifest=manifest)


def test_a_stored_run_is_shown_by_the_trials_of_today(enter, database, noise):
    from tests.report.conftest import make_result

    dates = pd.bdate_range("2015-01-01", periods=BARS)
    stored = result_of(make_result(60), "run0", noise[:, 0], dates)
    before = stored.metrics["strategies"]["risk_aware"]["dsr"]
    enter(noise[:, 0], 0)
    alone = with_todays_trials(stored, database)
    assert alone.metrics["strategies"]["risk_aware"]["dsr"] is None
    for number in range(1, 6):
        found = enter(noise[:, number], number, sha=OTHER)
    shown = with_todays_trials(stored, database)
    chosen = shown.metrics["strategies"]["risk_aware"]
    frame = pd.DataFrame(
        {"date": dates, "net_return": noise[:, 0], "gross_return": noise[:, 0],
         "turnover": 0.0, "cost": 0.0}
    )  # fmt: skip
    told = strategy_metrics(
        frame, 252.0, trials=6, trial_sharpe_variance=found.sharpe_variance * 252.0
    )
    assert chosen["dsr"] == pytest.approx(told["dsr"], rel=1e-9)
    assert chosen["dsr_trials"] == shown.metrics["trials"]["count"] == 6
    assert shown.metrics["trials"]["at_run"] == {"count": 1, "dsr": before}
    assert shown.metrics["strategies"]["equal_weight"]["dsr"] is None
    assert stored.metrics["trials"]["count"] == 1  # what is sealed stays
    assert with_todays_trials(stored, None) is stored


def test_a_ledger_that_never_saw_the_run_changes_nothing(enter, database, noise):
    """It knows less of its trials than the run did at its end."""
    from tests.report.conftest import make_result

    dates = pd.bdate_range("2015-01-01", periods=BARS)
    stored = result_of(make_result(60), "elsewhere", noise[:, 0], dates)
    enter(noise[:, 1], 1)
    assert with_todays_trials(stored, database) is stored
