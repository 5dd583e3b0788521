import json
from dataclasses import replace

import numpy as np
import pytest

from fingru.report import provenance
from fingru.report.labels import ERROR_FIELDS, SCORE_FIELDS, STRATEGY_FIELDS, format_value
from fingru.report.tables import KEYS, tables

AWKWARD = ("empty", "short", "one_asset", "ruined", "multi_horizon", "no_benchmark")


@pytest.fixture(scope="module")
def made(result):
    return tables(result)


def test_keys_are_stable(made):
    assert tuple(made) == KEYS


@pytest.mark.parametrize("case", AWKWARD)
def test_no_cell_ever_reads_nan_or_none(awkward_results, case):
    for key, table in tables(awkward_results[case]).items():
        for row in table.cells():
            assert not {"nan", "NaN", "None", "NaT", "inf", ""} & set(row), (key, row)


def test_strategy_numbers_equal_the_stored_metrics(result, made):
    frame = made["strategies"].frame.set_index("strategy")
    stored = result.metrics["strategies"]["risk_aware"]
    for field in STRATEGY_FIELDS:
        assert frame.loc["Risk aware", field] == stored[field], field
    assert frame.index[0] == "Risk aware"
    assert set(frame.index) == {
        "Risk aware", "Buy and hold", "Equal weight", "EWMA volatility target"
    }  # fmt: skip


def test_forecast_scores_equal_the_stored_metrics(result, made):
    frame = made["forecasts"].frame.set_index("model")
    frame = frame.join(made["forecast_errors"].frame.set_index("model").drop(columns="horizon"))
    for field in (*SCORE_FIELDS, *ERROR_FIELDS):
        stored = result.metrics["forecasts"]["ewma"]["1"]["pooled"][field]
        assert frame.loc["EWMA", field] == stored, field


def test_undefined_number_is_written_na_with_its_reason(result):
    forecasts = tables(result)["forecasts"]
    place = [column.name for column in forecasts.columns].index("rank_ic")
    assert {row[place] for row in forecasts.cells()} == {"n/a"}
    assert forecasts.reasons() == ["Rank IC n/a: the forecast mean does not vary"]


def test_errors_that_were_not_stored_are_no_table(result):
    """As in runs of earlier versions: no table of nothing but n/a."""
    old = {"gru": {"1": {"pooled": {"log_score": -3.0, "n": 9}, "assets": {}}}}
    table = tables(replace(result, metrics=result.metrics | {"forecasts": old}))["forecast_errors"]
    assert table.frame.empty


def test_ratios_of_a_ruined_strategy_are_na_with_the_day(awkward_results):
    ruined = awkward_results["ruined"]
    stored = ruined.metrics["strategies"]
    stored = stored | {"risk_aware": stored["risk_aware"] | {"sharpe": None, "psr": None}}
    table = tables(replace(ruined, metrics=ruined.metrics | {"strategies": stored}))["strategies"]
    own = ruined.equity[ruined.equity["strategy"] == "risk_aware"]
    day = own.loc[own["equity"] <= 0, "date"].iloc[0]
    assert f"Risk aware lost all its equity on {day:%Y-%m-%d}: no ratio of it is defined." in (
        table.notes
    )
    assert [note for note in table.notes if "lost all" in note] == [
        note for note in table.notes if note.startswith("Risk aware lost")
    ]


def with_trials(result, count, dsr, over, cash=0.0):
    """The same run after so many trials, with these probabilities over its benchmarks."""
    metrics = dict(result.metrics)
    metrics["strategies"] = metrics["strategies"] | {
        "risk_aware": metrics["strategies"]["risk_aware"] | {"dsr": dsr, "dsr_trials": count}
    }
    metrics["trials"] = metrics["trials"] | {"count": count}
    differences = {name: {"psr": value} for name, value in over.items()}
    metrics["evidence"] = {"differences": differences}
    manifest = json.loads(json.dumps(result.manifest))
    manifest["config"]["simulation"]["cash_rate"] = cash
    return replace(result, metrics=metrics, manifest=manifest)


OVER = {"buy_and_hold": 0.71, "equal_weight": 0.66, "ewma_vol_target": 0.45}


def test_one_trial_is_not_deflated_and_told_against_the_benchmarks(result):
    from fingru.report.headlines import headlines

    one = with_trials(result, 1, None, OVER)
    notes = " ".join(tables(one)["strategies"].notes)
    assert "there is nothing to deflate" in notes
    assert "Equal weight 0.660, EWMA volatility target 0.450" in notes
    assert "over 0 %" in notes
    assert "over 0 %" not in " ".join(
        tables(with_trials(result, 1, None, OVER, cash=0.02))["strategies"].notes
    )
    label, value, detail, _ = headlines(one)[5]
    assert (label, value) == ("P(Sharpe is higher)", "0.450")
    assert detail == "over EWMA volatility target; DSR n/a: one trial"
    label, value, detail, _ = headlines(with_trials(result, 7, 0.31, OVER))[5]
    assert (label, value) == ("DSR", "0.310")
    assert detail == "7 trials; P(above EWMA volatility target 0.45)"


def test_asset_scores_name_the_best_baseline_of_each_asset(result, made):
    frame = made["asset_scores"].frame.set_index("asset")
    stored = result.metrics["forecasts"]
    for asset in ("AAA", "BBB", "CCC"):
        scores = {
            label: stored[model]["1"]["assets"][asset]["log_score"]
            for model, label in (("ewma", "EWMA"), ("gjr_garch_t", "GJR-GARCH-t"))
        }
        best = min(scores, key=scores.get)
        own = stored["gru"]["1"]["assets"][asset]["log_score"]
        assert frame.loc[asset, "baseline"] == best
        assert frame.loc[asset, "gain"] == pytest.approx(scores[best] - own)
        assert 0 <= frame.loc[asset, "dm_p"] <= 1


def test_years_compound_to_the_final_equity(result, made):
    years = made["years"].frame
    own = result.equity[result.equity["strategy"] == "risk_aware"]
    assert np.prod(1 + years["net"]) == pytest.approx(own["equity"].iloc[-1])
    assert years["bars"].sum() == len(own)
    assert years["cost"].sum() == pytest.approx(own["cost"].sum())


def test_deepest_drawdown_equals_the_stored_metric(result, made):
    frame = made["drawdowns"].frame
    stored = result.metrics["strategies"]["risk_aware"]["max_drawdown"]
    assert frame["depth"].iloc[0] == pytest.approx(stored)
    assert (np.diff(frame["depth"]) >= 0).all()


def test_open_drawdown_is_marked_not_recovered(awkward_results):
    frame = tables(awkward_results["ruined"])["drawdowns"].frame
    assert frame["recovery"].iloc[0] == "not recovered"
    assert frame["depth"].iloc[0] == -1.0


def test_assets_sum_the_trades(result, made):
    frame = made["assets"].frame.set_index("asset")
    trades = result.trades[result.trades["asset"] == "BBB"]
    assert frame.loc["BBB", "trades"] == len(trades)
    years = 780 / 252
    assert frame.loc["BBB", "turnover"] == pytest.approx(trades["weight"].abs().sum() / years)
    assert frame.loc["BBB", "cost"] == pytest.approx(trades["cost"].sum() / years)


def test_largest_weight_keeps_its_sign(result):
    weights = result.weights.copy()
    weights.loc[weights.index[0], "weight"] = -0.9
    frame = tables(replace(result, weights=weights))["assets"].frame.set_index("asset")
    assert frame.loc["AAA", "largest"] == -0.9


def test_calibration_pools_and_lists_assets(result, made):
    frame = made["calibration"].frame.set_index("asset")
    assert list(frame.index) == ["All assets", "AAA", "BBB", "CCC"]
    assert frame.loc["All assets", "n"] == 3 * 779


def test_folds_join_ranges_training_and_scores(result, made):
    frame = made["folds"].frame
    assert list(frame["origin"]) == [fold["origin"] for fold in result.manifest["folds"]]
    assert (frame["gain"] == frame["baseline"] - frame["model"]).all()


def test_header_states_period_costs_fills_trials(result):
    head = provenance.header(result)
    assert head["Out of sample"] == "2015-01-05 to 2017-12-29"
    assert head["Costs"] == "5.0 bp"
    assert head["Fills"] == "next bar"
    assert head["Trials so far"] == "3"


def with_config(result, **changes):
    simulation = result.manifest["config"]["simulation"] | changes
    config = result.manifest["config"] | {"simulation": simulation}
    return replace(result, manifest=result.manifest | {"config": config})


def test_same_close_fills_are_flagged(result):
    flagged = with_config(result, fill="same_close")
    assert any("not achievable in practice" in text for text in provenance.warnings_of(flagged))
    assert "not achievable" in provenance.header(flagged)["Fills"]
    assert not any("achievable" in text for text in provenance.warnings_of(result))


def test_data_notes_and_ruin_are_warnings(awkward_results):
    found = provenance.warnings_of(awkward_results["ruined"])
    assert "The strategy lost all its equity." in found
    assert any(text.startswith("Survivors only") for text in found)


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        ({"status": "passed"}, True),
        ({"status": "leak", "leaks": [{"stage": "features", "column": "rsi"}]}, False),
        ({"status": "not run", "reason": "switched off"}, None),
        ({}, None),
    ],
)
def test_leak_verdict_follows_the_stored_status(result, check, passed):
    changed = replace(result, metrics=result.metrics | {"leak_check": check})
    verdict, sentence = provenance.leak_verdict(changed)
    assert verdict is passed
    if passed is False:
        assert "features, rsi" in sentence
        assert sentence in provenance.warnings_of(changed)


def test_reservations_of_the_leak_check_are_words_of_the_verdict_and_warnings(result):
    told = {"status": "passed with reservations", "limits": "No change of prices shows tuning",
            "reservations": ["my.py, line 3, reads rules.json"]}  # fmt: skip
    changed = replace(result, metrics=result.metrics | {"leak_check": told})
    verdict, sentence = provenance.leak_verdict(changed)
    assert verdict is None
    for part in ("does not cover: my.py, line 3", "No change of prices shows tuning."):
        assert part in sentence
    assert any("rules.json" in warning for warning in provenance.warnings_of(changed))
    assert "not run" not in sentence


def test_reproduce_command_repeats_every_setting(result):
    import shlex

    from fingru.report.provenance import configuration, reproduce_command

    words = shlex.split(reproduce_command(result))
    assert words[:2] == ["fingru", "backtest"]
    settings = dict(word.split("=", 1) for word in words[3::2])
    assert json.loads(settings["horizons"]) == [1]
    assert settings["simulation.fill"] == "next_bar"
    assert settings.keys() == {k for k, v in configuration(result).items() if v not in ({}, None)}


@pytest.mark.parametrize(
    ("value", "fmt", "written"),
    [
        (-0.00001, "percent", "0.0 %"),
        (0.256, "percent", "25.6 %"),
        (-0.0123, "percent2", "\u22121.23 %"),
        (float("nan"), "ratio", "n/a"),
        (float("inf"), "ratio", "n/a"),
        (0.0001, "probability", "<0.001"),
        (0.04567, "probability", "0.046"),
        (0.99999, "probability", ">0.999"),
        (1.0, "probability", "1.000"),
        (1234567, "count", "1,234,567"),
        (0.00567, "gain", "+0.0057"),
        ([None, None], "interval", "n/a"),
        ([-0.5, 1.25], "interval", "\u22120.50 to 1.25"),
        ("2020-01-02T00:00:00", "date", "2020-01-02"),
        (None, "text", "n/a"),
    ],
)
def test_format_value(value, fmt, written):
    assert format_value(value, fmt) == written


def test_a_fallback_is_named_wherever_its_score_is_shown(result):
    assert not any("forecasts are EWMA's" in note for note in tables(result)["forecasts"].notes)
    metrics = json.loads(json.dumps(result.metrics))
    model = next(name for name in metrics["forecasts"] if name != "gru")
    by_asset = next(iter(metrics["forecasts"][model].values()))["assets"]
    asset = next(iter(by_asset))
    by_asset[asset]["fallback_share"] = 1.0
    shown = tables(replace(result, metrics=metrics))
    for key in ("forecasts", "asset_scores"):
        (note,) = [note for note in shown[key].notes if "forecasts are EWMA's" in note]
        assert f"{asset} 100.0%" in note
