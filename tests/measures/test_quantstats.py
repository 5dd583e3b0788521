"""The measures of quantstats: equal where the definition is, explained where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import quantstats.stats as qs
from scipy.stats import kurtosis, norm, skew

from fingru.measures import inference
from fingru.measures import returns as metrics

BARS = 252


@pytest.fixture(params=range(4))
def returns(request):
    values = 0.0004 + np.random.default_rng(request.param).standard_t(4, 500) * 0.01
    return pd.Series(values, index=pd.bdate_range("2018-01-01", periods=500))


def test_the_same_definitions_give_the_same_numbers(returns):
    ours = returns.to_numpy()
    same = {
        "sharpe": metrics.sharpe_ratio(ours, BARS),
        "sortino": metrics.sortino_ratio(ours, BARS),
        "volatility": metrics.annual_volatility(ours, BARS),
        "cagr": metrics.annual_return(ours, BARS),
        "calmar": metrics.calmar_ratio(ours, BARS),
        "max_drawdown": metrics.max_drawdown(ours),
    }
    for name, value in same.items():
        assert value == pytest.approx(getattr(qs, name)(returns), rel=1e-9), name
    np.testing.assert_allclose(metrics.drawdowns(ours), qs.to_drawdown_series(returns), atol=1e-12)


def test_value_at_risk_is_historical_here_and_normal_there(returns):
    ours = returns.to_numpy()
    normal = norm.ppf(0.05, ours.mean(), ours.std(ddof=1))
    assert qs.value_at_risk(returns) == pytest.approx(normal, rel=1e-9)
    assert metrics.value_at_risk(ours) == pytest.approx(np.percentile(ours, 5), rel=1e-12)
    historical = qs.conditional_value_at_risk(returns, method="historical")
    assert metrics.conditional_value_at_risk(ours) == pytest.approx(historical, rel=1e-9)


def test_probabilistic_sharpe_differs_by_the_bias_correction_of_the_moments(returns):
    ours = returns.to_numpy()
    per_bar = metrics.sharpe_ratio(ours, 1.0)
    corrected = inference.probabilistic_sharpe_ratio(
        per_bar, ours.size, skew(ours, bias=False), kurtosis(ours, bias=False) + 3.0
    )
    assert qs.probabilistic_sharpe_ratio(returns) == pytest.approx(corrected, rel=1e-9)
    plain = inference.probabilistic_sharpe_ratio(
        per_bar, ours.size, *inference.skewness_and_kurtosis(ours)
    )
    assert plain == pytest.approx(corrected, abs=2e-3)
