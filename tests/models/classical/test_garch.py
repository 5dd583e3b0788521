import arch.data.nasdaq
import arch.data.sp500
import numpy as np
import pandas as pd
import pytest
from arch.univariate import GARCH, ConstantMean, StudentsT

from fingru.bundled import bundled_path
from fingru.distributions import Normal, StudentT, from_columns
from fingru.forecast.problem import Fold
from fingru.models.classical import garch, garch_fit
from fingru.models.classical.forecaster import ClassicalForecaster
from fingru.models.classical.garch import aggregate_variance, garch_method, next_variance
from fingru.models.classical.garch_fit import (
    GarchKind,
    GarchParameters,
    fit_garch,
    is_sane,
    mean_log_score,
)
from fingru.models.classical.series import AssetFold, AssetSeries, Method, walk_asset
from fingru.models.classical.simple import fit_constant, forecast_constant, one_bar_ewma
from fingru.models.settings import BaselineSettings
from fingru.models.walk import walk_forecast as forecast_of

SETTINGS = BaselineSettings(workers=1)
LOADERS = {"sp500": arch.data.sp500.load, "nasdaq": arch.data.nasdaq.load}


@pytest.fixture(scope="module")
def percent_returns():
    """Simple percent returns, as the published figures use them."""
    return {
        name: 100 * load()["Adj Close"].pct_change().dropna() for name, load in LOADERS.items()
    }


def as_bars(returns: pd.Series, first_year: int) -> tuple[AssetSeries, np.ndarray]:
    """Bars whose one-bar returns are ``returns``/100, refitted yearly; and the years."""
    log_close = np.r_[0.0, np.cumsum(returns.to_numpy() / 100)]
    years = returns.index.year.to_numpy()
    starts = [int(np.searchsorted(years, y)) for y in range(first_year, years[-1] + 1)]
    stops = [*starts[1:], len(returns)]
    folds = tuple(
        AssetFold(range(1, s + 1), range(s, e)) for s, e in zip(starts, stops, strict=True)
    )
    return AssetSeries(log_close, folds), returns.to_numpy()[starts[0] :]


def test_log_likelihood_equals_the_published_one(percent_returns, reference):
    published = reference["volatility_models"]["in_sample"]
    returns = percent_returns["sp500"].to_numpy()
    assert returns.size == published["observations"]
    fit = fit_garch(returns, GarchKind(leverage=False, errors="normal"))
    # arch starts the variance from residuals about its first guess of the mean, we about the
    # fitted one: 0.0023 of log-likelihood in 5,030 bars.
    likelihood = -mean_log_score(fit, returns) * returns.size
    assert likelihood == pytest.approx(published["garch"]["log_likelihood"], abs=5e-3)
    for name in ("mean", "omega", "alpha", "beta"):
        assert getattr(fit, name) == pytest.approx(published["garch"][name], abs=6e-5)
    fit = fit_garch(returns, GarchKind(leverage=True, errors="normal"))
    likelihood = -mean_log_score(fit, returns) * returns.size
    assert likelihood == pytest.approx(published["gjr_garch"]["log_likelihood"], abs=0.01)


@pytest.mark.parametrize("index", ["sp500", "nasdaq"])
def test_out_of_sample_scores_equal_those_of_arch_alone(percent_returns, reference, index):
    published = reference["volatility_models"]["out_of_sample"][index]
    bars, outcome = as_bars(percent_returns[index], 2009)
    kinds = {
        "garch": GarchKind(leverage=False, errors="normal"),
        "gjr_garch": GarchKind(leverage=True, errors="normal"),
        "gjr_garch_t": GarchKind(leverage=True),
    }
    for name, kind in kinds.items():
        walked = [f for *_, f in walk_asset(garch_method(kind), bars)]
        mean, variance, df = (
            np.concatenate([getattr(f, part)[:, 0] for f in walked])[: len(outcome)]
            for part in ("mean", "variance", "df")
        )
        score = -StudentT(100 * mean, 1e4 * variance, df).log_prob(outcome).mean()
        # half a unit of the last published digit, and where arch starts the variance
        assert score == pytest.approx(published[name], abs=6e-5), name
        assert not any(f.fallback.any() for f in walked)


@pytest.mark.parametrize("index", ["sp500", "nasdaq"])
def test_out_of_sample_scores_of_ewma_and_constant_equal_published(
    percent_returns, reference, index
):
    published = reference["volatility_models"]["out_of_sample"][index]
    bars, outcome = as_bars(percent_returns[index], 2009)
    first = bars.folds[0].test.start
    variance = 1e4 * one_bar_ewma(bars.returns, 0.94)[first:-1]
    assert -Normal(0.0, variance).log_prob(outcome).mean() == pytest.approx(
        published["ewma"], abs=1e-5
    )
    daily = tuple(
        AssetFold(range(1, t + 1), range(t, t + 1)) for t in range(first, first + len(outcome))
    )
    method = Method(fit_constant, forecast_constant)
    walked = walk_asset(method, AssetSeries(bars.log_close, daily))
    mean, variance = (
        np.concatenate([getattr(f, part)[:, 0] for *_, f in walked])
        for part in ("mean", "variance")
    )
    assert -Normal(100 * mean, 1e4 * variance).log_prob(outcome).mean() == pytest.approx(
        published["constant"], abs=1e-5
    )


@pytest.mark.parametrize("leverage", [False, True])
def test_filter_and_aggregation_equal_arch_with_fixed_parameters(percent_returns, leverage):
    returns = percent_returns["nasdaq"].to_numpy()[:3000]
    parameters = GarchParameters(0.05, 0.02, 0.03, 0.09 if leverage else 0.0, 0.91, 7.0)
    p = parameters
    vector = [p.mean, p.omega, p.alpha, *([p.gamma] if leverage else []), p.beta, p.df]
    model = ConstantMean(
        returns,
        volatility=GARCH(1, int(leverage), 1),
        distribution=StudentsT(),
        rescale=False,
    )
    expected = model.fix(vector).forecast(horizon=21, start=500, reindex=False).variance.to_numpy()
    one_step = next_variance(parameters, returns)[500:]
    np.testing.assert_allclose(one_step, expected[:, 0], rtol=1e-8)
    for horizon in (1, 5, 21):
        np.testing.assert_allclose(
            aggregate_variance(parameters, one_step, horizon),
            expected[:, :horizon].sum(axis=1),
            rtol=1e-8,
        )


def test_fit_recovers_the_parameters_of_a_simulation(garch_returns):
    returns, variance = garch_returns(12_000, seed=1)
    fit = fit_garch(100 * returns, GarchKind(leverage=True))
    assert fit.persistence == pytest.approx(0.99, abs=0.015)
    assert fit.gamma == pytest.approx(0.1, abs=0.04)
    assert fit.df == pytest.approx(6.0, abs=1.0)
    filtered = next_variance(fit, 100 * returns)[1000:-1] / 1e4
    assert np.mean(np.abs(filtered / variance[1001:] - 1)) < 0.08


def test_leverage_model_beats_simpler_ones_where_there_is_leverage(
    garch_returns, prices_of, problem_of
):
    problem = problem_of(prices_of(garch_returns(6000, seed=2)[0]), (1, 5))
    folds = [Fold(0, 2500, 0, 2500, 4000), Fold(1, 4001, 0, 4001, 6000)]
    score = {}
    for name in ("constant", "ewma", "garch", "gjr_garch_t"):
        frame = forecast_of(ClassicalForecaster(name, SETTINGS), problem, folds).to_frame(
            problem.labels
        )
        values = -from_columns(frame).log_prob(frame["realized"])
        score[name] = pd.Series(values, frame.index).groupby(frame["horizon"]).mean()
    assert score["gjr_garch_t"][1] < score["garch"][1] < score["ewma"][1] < score["constant"][1]
    assert score["gjr_garch_t"][5] < score["constant"][5]


def test_prices_that_never_moved_fall_back_to_ewma_and_say_so(prices_of, problem_of):
    moving = np.random.default_rng(0).normal(0, 0.01, 60)
    problem = problem_of(prices_of(np.r_[np.zeros(300), moving]))
    folds = [Fold(0, 290, 0, 290, 360)]
    for name in ("garch", "gjr_garch_t", "gjr_garch_t_rolling"):
        found = forecast_of(ClassicalForecaster(name, SETTINGS), problem, folds)
        ewma = forecast_of(ClassicalForecaster("ewma", SETTINGS), problem, folds)
        assert found.fallback[290:].all()
        np.testing.assert_array_equal(found.variance, ewma.variance)
        np.testing.assert_array_equal(found.df, ewma.df)
        assert (found.variance[290:] > 0).all()


def test_stock_with_many_zero_returns_falls_back_and_others_do_not(prices_of, problem_of):
    """RRC was flat on 38 % of its days in the 1990s; KO and AMD behave."""
    table = pd.read_csv(bundled_path("data/us_stocks.csv.gz"), index_col="Date")
    close = np.log(table.loc[:"2004-12-31", ["RRC", "KO", "AMD"]].to_numpy(dtype=float))
    problem = problem_of(prices_of(np.diff(close, axis=0)))
    last = len(close) - 1
    folds = [Fold(0, 2520, 0, 2520, 2999), Fold(1, 3000, 0, 3000, last)]
    found = forecast_of(ClassicalForecaster("garch", SETTINGS), problem, folds)
    assert np.mean(problem.prices.log_returns[1:2521, 0] == 0) == pytest.approx(0.38, abs=0.01)
    assert found.fallback[2520:, 0].all()
    assert not found.fallback[:, 1:].any()


def test_second_failure_keeps_the_previous_folds_parameters(
    garch_returns, prices_of, problem_of, monkeypatch
):
    problem = problem_of(prices_of(garch_returns(900, seed=5)[0]), (1,))
    honest = garch.fit_garch
    fits = []

    def fails_later(returns, kind, start=None):
        fits.append(start)
        return honest(returns, kind, start) if len(fits) == 1 else None

    monkeypatch.setattr(garch, "fit_garch", fails_later)
    folds = [Fold(0, 500, 0, 500, 699), Fold(1, 700, 0, 700, 899)]
    forecast = forecast_of(ClassicalForecaster("garch", SETTINGS), problem, folds)
    assert not forecast.fallback[500:700].any()
    assert forecast.fallback[700:900].all()
    one_fold = ClassicalForecaster("garch", SETTINGS)
    fits.clear()
    whole = forecast_of(one_fold, problem, [Fold(0, 500, 0, 500, 899)])
    np.testing.assert_array_equal(forecast.df[500:900], whole.df[500:900])
    np.testing.assert_array_equal(forecast.variance[500:900], whole.variance[500:900])


def test_previous_parameters_are_the_first_guess(
    garch_returns, prices_of, problem_of, monkeypatch
):
    problem = problem_of(prices_of(garch_returns(900, seed=5)[0]), (1,))
    honest = garch.fit_garch
    starts = []

    def remembers(returns, kind, start=None):
        starts.append(start)
        return honest(returns, kind, start)

    monkeypatch.setattr(garch, "fit_garch", remembers)
    folds = [Fold(0, 500, 0, 500, 699), Fold(1, 700, 0, 700, 899)]
    forecast_of(ClassicalForecaster("garch", SETTINGS), problem, folds)
    assert starts[0] is None
    assert isinstance(starts[1], GarchParameters)


def test_an_answer_the_optimiser_doubts_must_beat_its_start(garch_returns, monkeypatch):
    returns = 100 * garch_returns(1000, seed=6)[0]
    good = fit_garch(returns, GarchKind(leverage=False))
    poor = GarchParameters(good.mean, 4 * good.omega, good.alpha, 0.0, good.beta * 0.9, good.df)
    assert is_sane(poor, returns)
    monkeypatch.setattr(garch_fit, "_maximise", lambda *_: (poor, False))
    assert fit_garch(returns, GarchKind(leverage=False), good) is None
    assert fit_garch(returns, GarchKind(leverage=False), poor) == poor
    monkeypatch.setattr(garch_fit, "_maximise", lambda *_: None)
    assert fit_garch(returns, GarchKind(leverage=False), good) is None


@pytest.mark.parametrize(
    "change",
    [
        {"omega": np.nan},
        {"beta": 1.0},
        {"df": 2.05},
        {"omega": 1e-9, "alpha": 0.7, "beta": 0.001},
        {"omega": 50.0},
        {"omega": -1.0},
    ],
)
def test_absurd_parameters_are_found(garch_returns, change):
    returns = 100 * garch_returns(1000, seed=7)[0]
    good = fit_garch(returns, GarchKind(leverage=True))
    assert is_sane(good, returns)
    assert not is_sane(GarchParameters(**{**vars(good), **change}), returns)


def test_non_finite_returns_are_no_reason_to_crash():
    returns = np.r_[np.random.default_rng(0).normal(size=200), np.nan]
    assert fit_garch(returns, GarchKind(leverage=False)) is None


def test_rolling_fit_forgets_bars_before_its_window(garch_returns, prices_of, problem_of):
    returns = garch_returns(1000, seed=9)[0]
    changed = returns.copy()
    changed[:500] *= 3.0
    settings = BaselineSettings(rolling_bars=300, workers=1)
    folds = [Fold(0, 900, 0, 900, 999)]

    def variance(name, values):
        problem = problem_of(prices_of(values), (1,))
        return forecast_of(ClassicalForecaster(name, settings), problem, folds).variance[900:]

    np.testing.assert_allclose(
        variance("gjr_garch_t_rolling", returns),
        variance("gjr_garch_t_rolling", changed),
        rtol=1e-6,
    )
    assert not np.allclose(
        variance("gjr_garch_t", returns), variance("gjr_garch_t", changed), rtol=1e-3
    )
