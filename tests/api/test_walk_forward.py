"""Walk-forwards of the front are those of ``run_backtest``, and see nothing later."""

from __future__ import annotations

import numpy as np
import pytest

import fingru
from fingru.config import with_values
from fingru.errors import ConfigError, DataError
from fingru.pipeline.backtest import run_backtest
from tests.pipeline.conftest import SMALL


@pytest.mark.pipeline
def test_the_forecasts_are_those_of_a_run_bit_by_bit(tmp_path):
    prices = fingru.load_prices(SMALL["data"]["source"])
    config = fingru.Config(**SMALL)
    parameters = {**SMALL["model"], **SMALL["training"], **SMALL["features"]}
    walked = fingru.walk_forward(
        [fingru.GRU(**parameters), fingru.GJRGARCH(workers=1)], prices,
        horizons=SMALL["horizons"], **SMALL["walk_forward"],
    )  # fmt: skip
    run = run_backtest(prices, with_values(config, {"strategy.name": "vol_target"}), store=False)
    for name in ("gru", "gjr_garch_t"):
        stored = run.forecasts[run.forecasts["model"] == name].reset_index(drop=True)
        ours = walked[name].forecast.to_frame(walked[name].labels)
        assert ours[list(stored.columns)].equals(stored)
    traded = fingru.backtest(prices, walked["gru"], strategy="vol_target")
    assert traded.equity.equals(run.equity)
    assert traded.weights.equals(run.weights)
    assert traded.trades.equals(run.trades)
    assert traded.metrics["strategies"] == run.metrics["strategies"]


def test_forecasts_do_not_depend_on_what_follows(df, walked):
    later = df.copy()
    later.iloc[601:] = np.random.default_rng(0).uniform(50, 150, later.iloc[601:].shape)
    models = [fingru.EWMA(), fingru.Constant(), fingru.GARCH(workers=1)]
    same = {"refit": 50, "first_refit": df.index[520], "horizons": (1, 5)}
    now, then = (fingru.walk_forward(models, p, **same) for p in (df, later))
    for name, forecasts in now.items():
        cut = df.index[600]
        for table in ("mean", "variance"):
            before = getattr(forecasts, table)[:cut]
            assert len(before) == 82
            assert before.equals(getattr(then[name], table)[:cut])
    assert not now["garch"].variance.equals(then["garch"].variance)


def test_models_of_one_kind_are_numbered_or_named_by_the_caller(walked, prices):
    assert list(walked) == ["ewma", "ewma_2", "constant"]
    assert walked["ewma_2"].forecast.model == "ewma_2"
    named = fingru.walk_forward({"fast": fingru.EWMA(ewma_decay=0.9)}, prices, horizons=(1, 5),
                                refit="quarter")  # fmt: skip
    assert named["fast"].variance.equals(walked["ewma_2"].variance)


def test_models_that_are_given_are_not_changed(prices):
    model = fingru.EWMA().fit(prices)
    before = model.predict(prices).variance
    fingru.walk_forward(model, prices.until(650))
    assert model.predict(prices).variance.equals(before)


def test_scores_and_comparison(walked):
    scores = walked.scores()
    assert scores.loc[("ewma_2", 5), "n"] == len(walked["ewma"].forecast.to_frame(
        walked["ewma"].labels).query("horizon == 5"))  # fmt: skip
    table = fingru.compare(walked)
    assert table["log_score"].is_monotonic_increasing
    best = table.index[0]
    assert table.loc[best, "difference"] == 0.0
    assert np.isnan(table.loc[best, "p_value"])
    assert table.loc[best, "in_confidence_set"]
    assert table.loc["constant", "log_score"] == pytest.approx(
        scores.loc[("constant", 1), "log_score"]
    )
    other = fingru.compare(walked, reference="constant", score="crps", horizon=5)
    assert other.loc["constant", "difference"] == 0.0


def test_a_comparison_of_models_walks_them_first(df):
    table = fingru.compare([fingru.EWMA(), fingru.Constant()], df, refit="quarter")
    assert set(table.index) == {"ewma", "constant"}
    with pytest.raises(DataError, match="there are no prices"):
        fingru.compare([fingru.EWMA()])


@pytest.mark.parametrize(
    ("models", "settings", "message"),
    [
        ([3], {}, "3 is no model: give models such as"),
        ([], {}, "there is no model to walk forward"),
        ([fingru.EWMA(), fingru.Constant(horizons=(2,))], {}, "different horizons"),
        (fingru.EWMA(), {"refits": "year"}, "no parameter 'refits': did you mean 'refit'"),
        (fingru.EWMA(), {"refit": "yearly"}, "'walk_forward.refit' is 'yearly'"),
        (fingru.EWMA(), {"first_refit": "2050-01-01"}, "leaves nothing to forecast"),
    ],
)
def test_what_cannot_be_walked_is_refused_in_one_sentence(prices, models, settings, message):
    with pytest.raises(ConfigError, match=message):
        fingru.walk_forward(models, prices, **settings)
