"""Text and code agree: every stored number is explained, and the formulas are what is computed."""

from __future__ import annotations

import numpy as np
import pytest

from fingru.backtest.simulator import simulate_weights
from fingru.backtest.summary import strategy_metrics
from fingru.measures.evaluation import score_forecasts
from fingru.measures.returns import drawdowns
from fingru.report import table, theme
from fingru.report.figures import FIGURES
from fingru.report.labels import FORECAST_FIELDS, FORMATS, STRATEGY_FIELDS, TERMS, label_of

CASH_RATE = 0.03


def _least(*parts):
    return np.minimum(*parts) if len(parts) > 1 else np.min(parts[0])


def _most(*parts):
    return np.maximum(*parts) if len(parts) > 1 else np.max(parts[0])


WORDS = {
    "mean": np.mean, "std": lambda v: np.std(v, ddof=1), "sqrt": np.sqrt, "prod": np.prod,
    "sum": np.sum, "min": _least, "max": _most, "abs": np.abs, "count": np.sum, "log": np.log,
    "pi": np.pi, "corr": lambda a, b: np.corrcoef(a, b)[0, 1],
}  # fmt: skip


@pytest.fixture
def books(panel):
    prices = panel(500)
    weights = np.zeros(prices.close.shape)
    weights[::2, 0], weights[1::2, 1] = 0.6, 0.5
    weights[100:200] = 0.0  # half-idle: what counts such bars is told apart
    ours = simulate_weights(prices, weights).equity
    theirs = simulate_weights(prices, np.full(prices.close.shape, 1 / 3)).equity
    return ours, theirs["net_return"].to_numpy()


@pytest.fixture
def told(books):
    ours, market = books
    return strategy_metrics(
        ours, 252.0, trials=9, trial_sharpe_variance=0.2, cash_rate=CASH_RATE, benchmark=market
    )


def test_every_number_of_a_strategy_is_catalogued_with_its_formula(told):
    assert set(told) == set(STRATEGY_FIELDS)
    assert [name for name in STRATEGY_FIELDS if not TERMS[name].formula] == []


def test_every_number_of_a_forecast_is_catalogued_with_its_formula(result):
    pooled = score_forecasts(result.forecasts)["gru"]["1"]["pooled"]
    assert set(pooled) == set(FORECAST_FIELDS)
    assert [name for name in FORECAST_FIELDS if not TERMS[name].formula] == []


@pytest.mark.parametrize(
    "name",
    ["sharpe", "sortino", "annual_return", "annual_volatility", "max_drawdown", "calmar",
     "ulcer_index", "omega", "profit_factor", "information_ratio", "hit_rate", "periods"],
)  # fmt: skip
def test_the_formula_of_a_strategy_number_is_what_is_computed(books, told, name):
    ours, market = books
    r, c = ours["net_return"].to_numpy(), (1 + CASH_RATE) ** (1 / 252) - 1
    letters = {"r": r, "c": c, "x": r - c, "b": market, "n": len(r), "B": 252.0}
    value = eval(TERMS[name].formula, {}, WORDS | letters | {"d": drawdowns(r)})
    assert told[name] == pytest.approx(value, rel=1e-9), TERMS[name].formula


@pytest.mark.parametrize("name", ["rmse", "mae", "ic", "gaussian_nll", "qlike"])
def test_the_formula_of_a_forecast_number_is_what_is_computed(result, name):
    rows = result.forecasts[(result.forecasts["model"] == "gru")]
    rows = rows[rows["asset"] == "BBB"]
    leaf = score_forecasts(rows)["gru"]["1"]["assets"]["BBB"]
    letters = {"y": rows["realized"], "m": rows["mean"], "v": rows["variance"]}
    value = eval(TERMS[name].formula, {}, WORDS | letters)
    assert leaf[name] == pytest.approx(value, rel=1e-9), TERMS[name].formula


def test_every_figure_has_its_words():
    texts = theme._texts()
    assert set(texts) == {*FIGURES, "compared"}
    for key, words in texts.items():
        assert set(words) == {"title", "caption", "alt", "empty"}, key


@pytest.mark.parametrize("key", sorted(table._sections()))
def test_columns_of_tables_are_written_in_known_formats(key):
    words = {"title": "t", "model": "m", "horizon": 1, "baseline": "b"}
    made = table.Table.of(key, [], **words)
    assert {column.fmt for column in made.columns} <= {*FORMATS, "date", "interval", "text"}
    assert all(isinstance(column.label, str) and column.label for column in made.columns)
    assert len({column.name for column in made.columns}) == len(made.columns)


def test_models_are_called_what_they_call_themselves():
    assert label_of("gru") == "GRU"
    assert label_of("gjr_garch_t") == "GJR-GARCH-t"
    assert label_of("my_strategy") == "my strategy"
