"""How much of a return the market explains, by regression."""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray


def market_regression(
    excess: FloatArray, market_excess: FloatArray, bars_per_year: float
) -> dict[str, float | int | None]:
    """Regress returns on the market's: ``excess = alpha + beta market_excess + residual``.

    Standard errors allow for autocorrelation and unequal variance: Bartlett kernel with
    ``floor(4 (N / 100)**(2 / 9))`` lags, times ``N / (N - 2)``.

    Parameters
    ----------
    excess, market_excess
        (N,) simple returns over cash; NaN in either leaves all undefined.
    bars_per_year
        For ``alpha_per_year = bars_per_year * alpha``.

    Returns
    -------
    Values are None with fewer than 20 returns, with NaN, or where the market did not move.

    References
    ----------
    Newey and West (1987), A Simple, Positive Semi-definite, Heteroskedasticity and
    Autocorrelation Consistent Covariance Matrix, equation 5.
    """
    n = len(excess)
    found: dict[str, float | int | None] = dict.fromkeys(
        ("alpha_per_year", "alpha_t", "beta", "beta_error", "r_squared", "lags")
    )
    known = bool(np.isfinite(excess).all() and np.isfinite(market_excess).all())
    if n < 20 or not known or float(np.ptp(market_excess)) == 0.0:
        return found | {"n": n}
    design = np.column_stack([np.ones(n), market_excess])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ (design.T @ excess)
    residual = excess - design @ coefficients
    lags = int(4.0 * (n / 100.0) ** (2.0 / 9.0))
    errors = np.sqrt(np.diag(inverse @ _long_run(design * residual[:, None], lags) @ inverse))
    errors = errors * np.sqrt(n / (n - 2))
    spread = float(np.sum((excess - excess.mean()) ** 2))
    return {
        "alpha_per_year": float(coefficients[0] * bars_per_year),
        "alpha_t": float(coefficients[0] / errors[0]) if errors[0] > 0.0 else None,
        "beta": float(coefficients[1]),
        "beta_error": float(errors[1]),
        "r_squared": 1.0 - float(residual @ residual) / spread if spread > 0.0 else None,
        "lags": lags,
        "n": n,
    }


def _long_run(scores: FloatArray, lags: int) -> FloatArray:
    total: FloatArray = scores.T @ scores
    for lag in range(1, lags + 1):
        product = scores[lag:].T @ scores[:-lag]
        total = total + (1.0 - lag / (lags + 1.0)) * (product + product.T)
    return total
