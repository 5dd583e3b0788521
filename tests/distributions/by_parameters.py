"""Scores of the nested families as functions of their parameters, as formulas are written."""

import numpy as np

from fingru.distributions import Normal, SkewedT, StudentT


def distribution(mean, variance, df=None, skew=None):
    if skew is not None:
        return SkewedT(mean, variance, np.nan if df is None else df, skew)
    return Normal(mean, variance) if df is None else StudentT(mean, variance, df)


def log_score(y, *parameters):
    return -distribution(*parameters).log_prob(y)


def crps(y, *parameters):
    return distribution(*parameters).crps(y)


def pit(y, *parameters):
    return distribution(*parameters).cdf(y)


def quantile(level, *parameters):
    return distribution(*parameters).ppf(level)


def interval(mean, variance, df=None, level=0.95, *, skew=None):
    return distribution(mean, variance, df, skew).interval(level)
