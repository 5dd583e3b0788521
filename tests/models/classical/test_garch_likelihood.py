"""The likelihood that GARCH fits maximise, against differences, a second formula and arch."""

from __future__ import annotations

import numpy as np
import pytest
from arch.univariate import GARCH, ConstantMean, Normal, StudentsT
from scipy.optimize import approx_fprime

from fingru.models.classical.garch_fit import (
    GarchKind,
    GarchParameters,
    fit_garch,
    mean_log_score,
)
from fingru.models.classical.garch_likelihood import log_likelihood

POINTS = {
    "t": [0.05, 0.1, 0.05, 0.06, 0.85, 6.0],
    "t without leverage": [-0.02, 0.02, 0.1, 0.0, 0.89, 25.0],
    "normal": [0.05, 0.1, 0.05, 0.06, 0.85],
}


@pytest.fixture
def returns(garch_returns):
    return 100 * garch_returns(1500, seed=11)[0]


@pytest.mark.parametrize("name", POINTS)
def test_value_and_slope(returns, name):
    point = np.array(POINTS[name])
    value, slope = log_likelihood(point, returns)
    df = point[5] if len(point) > 5 else np.nan
    assert value == pytest.approx(
        -mean_log_score(GarchParameters(*point[:5], df), returns), rel=1e-12
    )
    by_differences = approx_fprime(point, lambda x: log_likelihood(x, returns)[0], 1e-7)
    np.testing.assert_allclose(slope, by_differences, rtol=1e-4, atol=1e-6)


def test_a_variance_that_is_not_positive_is_impossible(returns):
    point = np.array([0.0, -1.0, 0.01, 0.0, 0.5, 6.0])
    assert log_likelihood(point, returns)[0] == -np.inf


@pytest.mark.parametrize("leverage", [False, True])
@pytest.mark.parametrize("errors", ["t", "normal"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fit_is_as_likely_as_that_of_arch(garch_returns, leverage, errors, seed):
    returns = 100 * garch_returns(1200, seed=seed)[0]
    distribution = StudentsT() if errors == "t" else Normal()
    model = ConstantMean(
        returns, volatility=GARCH(1, int(leverage), 1), distribution=distribution, rescale=False
    )
    theirs = model.fit(disp="off", show_warning=False).loglikelihood / len(returns)
    ours = fit_garch(returns, GarchKind(leverage=leverage, errors=errors))
    # arch starts the variance from residuals about its first guess of the mean
    assert -2e-5 < -mean_log_score(ours, returns) - theirs < 3e-4
