"""Scores of all models on the same rows, and whether their differences are more than luck.

Everything reads the long table of ``forecasts.parquet`` (columns of ``forecast.COLUMNS``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from fingru.arrays import FloatArray, finite_or_none
from fingru.distributions import from_columns
from fingru.errors import DataError
from fingru.market.prices import Prices
from fingru.measures import scores
from fingru.measures.information import correlation, correlation_error, signal_turnover
from fingru.measures.point_errors import closes_at, naive_scales, point_errors
from fingru.measures.significance import diebold_mariano

Score = Literal["log_score", "gaussian_nll", "crps", "qlike"]

SCORES: tuple[Score, ...] = ("log_score", "gaussian_nll", "crps", "qlike")
"""Proper scores of a row, smaller is better."""

LEVELS = {"pinball05": 0.05, "pinball25": 0.25, "pinball50": 0.5, "pinball75": 0.75,
          "pinball95": 0.95}  # fmt: skip
"""Quantiles whose loss is told, by the name of the loss."""

_SCALED = ("mase", "price_mase")
"""Undefined for an asset that has no bar before its first forecast; the others are pooled."""

_ERRORS = ("rmse", "mae", *_SCALED, "price_rmse", "price_mae", *LEVELS, "pinball")

_NUMBERS = ("mean", "variance", "realized")


def usable_rows(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows with a finite mean, a positive variance and a known outcome.

    Known at: when the outcomes are.
    """
    numbers = forecasts[list(_NUMBERS)].to_numpy(dtype=np.float64)
    usable = np.isfinite(numbers).all(axis=1) & (numbers[:, 1] > 0.0)
    return forecasts if usable.all() else forecasts[usable]


def common_rows(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Keep the (origin, asset, horizon) that every model has forecast, once each.

    So models are compared on the same rows. Order is kept.

    Parameters
    ----------
    forecasts
        Long table; rows without a usable number are dropped first.

    Raises
    ------
    DataError
        If a model forecasts the same (origin, asset, horizon) twice.

    Known at: when the outcomes are.
    """
    frame = usable_rows(forecasts)
    keys = frame.groupby(["origin", "asset", "horizon"], sort=False).ngroup().to_numpy()
    models, names = pd.factorize(frame["model"])
    pairs, counts = np.unique(keys * max(len(names), 1) + models, return_counts=True)
    if (counts > 1).any():
        twice = frame.iloc[int(np.flatnonzero(keys == pairs[counts > 1][0] // len(names))[0])]
        raise DataError(
            f"a model has two forecasts for {twice['asset']}, origin {twice['origin']}, "
            f"horizon {twice['horizon']}",
            "give each model a name of its own",
        )
    return frame[np.bincount(keys)[keys] == len(names)] if len(frame) else frame


def row_scores(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Score every row; columns ``SCORES``, ``covered90``, ``covered95``; index as given.

    Known at: when the outcomes are.
    """
    y, distribution = forecasts["realized"].to_numpy(dtype=np.float64), from_columns(forecasts)
    u = distribution.cdf(y)
    columns = {
        "log_score": -distribution.log_prob(y),
        "gaussian_nll": scores.gaussian_nll(y, distribution),
        "crps": distribution.crps(y),
        "qlike": scores.qlike(y, distribution),
        "covered90": np.abs(u - 0.5) <= 0.45,
        "covered95": np.abs(u - 0.5) <= 0.475,
    }
    return pd.DataFrame(columns, index=forecasts.index)


def quantile_scores(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Pinball loss of every row at each of ``LEVELS``, columns ``pinball05`` and so on.

    Known at: when the outcomes are.
    """
    y, distribution = forecasts["realized"].to_numpy(dtype=np.float64), from_columns(forecasts)
    losses = {
        name: scores.pinball(y, distribution.ppf(level), level) for name, level in LEVELS.items()
    }
    return pd.DataFrame(losses, index=forecasts.index)


def score_forecasts(forecasts: pd.DataFrame, prices: Prices | None = None) -> dict[str, Any]:
    """Score every model per horizon, pooled and per asset: ``metrics.json``'s ``forecasts``.

    ``{model: {horizon: {"pooled": leaf, "assets": {asset: leaf}}}}``. A leaf holds the means of
    ``SCORES``, ``coverage90`` and ``coverage95`` (share of outcomes in the central intervals),
    ``ic`` and ``rank_ic`` (Pearson and Spearman correlation of mean and outcome), ``ic_error``
    (standard error of the first: sessions count, and overlapping outcomes together),
    ``signal_turnover`` (of mean over standard deviation, from bar to bar), ``n`` rows, ``pinball``
    (the mean of the quantile losses ``pinball05`` .. ``pinball95``), and what ``point_errors``
    tells of returns and prices; without ``prices`` those that need them are None.
    Pooled scores and errors are the mean of the assets' means; pooled coverage and correlation are
    over all rows. Undefined (no rows, a mean that never changes) is None. Give ``common_rows`` if
    models are to be compared.

    Known at: when the outcomes are.
    """
    by_model = usable_rows(forecasts).groupby("model", sort=False)
    return {str(model): _score_model(rows, prices) for model, rows in by_model}


def _score_model(rows: pd.DataFrame, prices: Prices | None) -> dict[str, Any]:
    """One model by horizon; one at a time, because a wide panel has millions of rows."""
    rows = rows.reset_index(drop=True)
    columns: dict[str, Any] = {
        name: rows[name] for name in ("horizon", "asset", "origin", "mean", "realized")
    }
    columns |= {
        "fallback": rows.get("fallback", False),  # not in tables written before it was kept
        "signal": rows["mean"] / np.sqrt(rows["variance"]),
        # As numbers: they are compared for every asset.
        "session": pd.factorize(rows["origin"], sort=True)[0],
        "asset_number": pd.factorize(rows["asset"])[0],
        "close": closes_at(rows, prices),
    }
    frame = pd.DataFrame(columns).join(row_scores(rows)).join(quantile_scores(rows))
    return {
        str(horizon): _score_horizon(own, naive_scales(own, prices))
        for horizon, own in frame.groupby("horizon", sort=True)
    }


def _score_horizon(
    rows: pd.DataFrame, scales: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    assets = {
        str(asset): _leaf(own) | _errors(own, scales[str(asset)])
        for asset, own in rows.groupby("asset", sort=True)
    }
    pooled = _leaf(rows)
    for score in (*SCORES, *_ERRORS):
        values = np.array([leaf[score] for leaf in assets.values()], dtype=np.float64)
        if score in _SCALED:
            values = values[np.isfinite(values)]
        pooled[score] = finite_or_none(float(np.mean(values))) if values.size else None
    return {"pooled": pooled, "assets": assets}


def _errors(rows: pd.DataFrame, scales: tuple[float, float]) -> dict[str, float | int | None]:
    """Errors of one asset's means, quantiles and prices."""
    quantiles = {name: float(rows[name].to_numpy().mean()) for name in LEVELS}
    quantiles["pinball"] = float(np.mean(list(quantiles.values())))
    errors = point_errors(rows, scales) | quantiles
    return {name: finite_or_none(value) for name, value in errors.items()}


def _leaf(rows: pd.DataFrame) -> dict[str, float | int | None]:
    mean, realized, sessions = (rows[n].to_numpy() for n in ("mean", "realized", "session"))
    means: dict[str, str] = dict(zip(SCORES, SCORES, strict=True))
    means |= {"coverage90": "covered90", "coverage95": "covered95"}
    leaf: dict[str, float | int | None] = {
        name: finite_or_none(rows[column].to_numpy().mean()) for name, column in means.items()
    }
    leaf["ic"] = correlation(mean, realized)
    leaf["ic_error"] = correlation_error(mean, realized, sessions, rows["horizon"].iloc[0])
    leaf["rank_ic"] = correlation(_ranks(mean), _ranks(realized))
    leaf["signal_turnover"] = signal_turnover(
        rows["signal"].to_numpy(), sessions, rows["asset_number"].to_numpy()
    )
    leaf["fallback_share"] = float(rows["fallback"].to_numpy(dtype=bool).mean())
    leaf["n"] = len(rows)
    return leaf


def _ranks(values: FloatArray) -> FloatArray:
    return np.asarray(stats.rankdata(values), dtype=np.float64)


def loss_table(forecasts: pd.DataFrame, horizon: int, score: Score = "log_score") -> pd.DataFrame:
    """Score of every model (columns) on each common (asset, origin) (rows, sorted).

    Known at: when the outcomes are.
    """
    frame = common_rows(forecasts[forecasts["horizon"] == horizon])
    if frame.empty:
        raise DataError(
            f"no row of horizon {horizon} was forecast by every model",
            "check the horizons and that the models ran on the same folds",
        )
    loss = row_scores(frame)[score].to_numpy()
    values = frame[["asset", "origin", "model"]].assign(loss=loss)
    table = values.set_index(["asset", "origin", "model"])["loss"].unstack("model")  # noqa: PD010 - nothing to aggregate
    return table.sort_index()


def compare_models(
    forecasts: pd.DataFrame,
    horizon: int,
    score: Score = "log_score",
    model: str = "gru",
) -> pd.DataFrame:
    """Compare a model with the best of the others, asset by asset, on common rows.

    The opponent is chosen with hindsight on the same rows, which favours the others.

    Parameters
    ----------
    forecasts
        Long table.
    horizon
        Bars ahead.
    score
        Loss to compare.
    model
        The model in question.

    Returns
    -------
    One row per asset: the mean score of every model, ``best_other`` (its name), ``gain``
    (``score of best_other - score of model``: positive where the model is better),
    ``dm_statistic`` (positive where the model is better), ``dm_p`` (two-sided) and ``n``.

    Raises
    ------
    DataError
        If the model or an opponent is missing, or there is no common row.

    Known at: when the outcomes are.
    """
    losses = loss_table(forecasts, horizon, score)
    others = [name for name in losses.columns if name != model]
    if model not in losses.columns or not others:
        raise DataError(
            f"there are forecasts of {', '.join(map(str, losses.columns))}, which does not let "
            f"{model!r} be compared with anything",
            "name a model that was run, beside at least one other",
        )
    rows = []
    for asset, own in losses.groupby(level="asset", sort=True):
        means = own.mean()
        best = str(means[others].idxmin())
        test = diebold_mariano(own[best].to_numpy(), own[model].to_numpy(), horizon)
        verdict = {
            "best_other": best,
            "gain": means[best] - means[model],
            "dm_statistic": test.statistic,
            "dm_p": test.p_value,
            "n": len(own),
        }
        scores_by_model: dict[str, object] = {str(k): v for k, v in means.items()}
        rows.append({"asset": asset, **scores_by_model, **verdict})
    return pd.DataFrame(rows).set_index("asset")


def model_confidence_set(
    forecasts: pd.DataFrame,
    horizon: int,
    score: Score = "log_score",
    size: float = 0.10,
    seed: int = 0,
) -> pd.DataFrame:
    """Find the models that cannot be told from the best one.

    The losses of an origin are averaged over its assets first, so that assets moving together are
    counted once; give the rows of one asset for a set of its own. Stationary bootstrap with
    blocks of ``sqrt(T)`` origins, range statistic, 1,000 replications.

    Parameters
    ----------
    forecasts
        Long table of two models or more.
    horizon
        Bars ahead.
    score
        Loss to compare.
    size
        A model stays while its p-value is above it: the best one is in the set with probability
        of at least ``1 - size`` in large samples.
    seed
        Of the bootstrap.

    Returns
    -------
    Index ``model``, best first: ``score`` (mean loss), ``p_value``, ``included``.

    Known at: when the outcomes are.

    References
    ----------
    Hansen, Lunde and Nason (2011), Econometrica 79, section 3.1.
    """
    from arch.bootstrap import MCS

    losses = loss_table(forecasts, horizon, score).groupby(level="origin").mean()
    if losses.shape[1] < 2:
        raise DataError("a model confidence set needs two models or more", "run a baseline too")
    test = MCS(losses, size=size, seed=seed)
    test.compute()
    p_values = test.pvalues["Pvalue"]
    out = pd.DataFrame({"score": losses.mean(), "p_value": p_values.astype(float)})
    out["included"] = out.index.isin(list(test.included))
    return out.rename_axis("model").sort_values("score")
