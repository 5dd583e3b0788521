"""From columns of a table or arrays of a file to a distribution, and families by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fingru.distributions.base import NESTED, Distribution
from fingru.distributions.by_row import ByRow
from fingru.distributions.mixture import Mixture
from fingru.distributions.normal import Normal
from fingru.distributions.quantiles import Quantiles
from fingru.distributions.skewed_t import SkewedT
from fingru.distributions.student_t import StudentT
from fingru.errors import DataError

FAMILIES: dict[str, type[Distribution]] = {
    kind.family: kind for kind in (Normal, StudentT, SkewedT, Quantiles, Mixture)
}
"""Every family by its name."""

SIGNATURE = "family"
"""Column with the signature of a row's family; null or absent for the ``NESTED`` ones."""


def from_columns(
    columns: Mapping[str, Any] | pd.DataFrame, signature: str | None = None
) -> Distribution:
    """Distributions of the rows of a long table, or of arrays by name.

    Without signature it is the smallest of the nested families that holds all rows: normal where
    ``df`` is NaN, infinite or missing, symmetric where ``skew`` is NaN, zero or missing. Rows of
    other families are read by their signatures in the column ``family``.

    Parameters
    ----------
    columns
        ``mean``, ``variance`` and any others.
    signature
        Of all rows; None to look for the column.

    Raises
    ------
    DataError
        If a parameter is out of its range, a family is not known, or a column is missing.
    """
    if signature is not None:
        return from_signature(columns, signature)
    if SIGNATURE in columns:
        signatures = pd.Series(np.asarray(columns[SIGNATURE], dtype=object))
        if signatures.notna().any():
            return _by_row(pd.DataFrame(columns), signatures)
    return _nested(columns)


def from_signature(columns: Mapping[str, Any] | pd.DataFrame, signature: str) -> Distribution:
    """``from_columns`` of one family, by ``Distribution.signature``."""
    if signature in NESTED:
        return _nested(columns)
    kind = FAMILIES.get(signature.partition("(")[0])
    if kind is None:
        raise DataError(
            f"there is no family of distributions {signature!r}",
            f"families are {', '.join(FAMILIES)}",
        )
    arrays = {
        str(name): np.asarray(values, dtype=np.float64)
        for name, values in columns.items()
        if np.asarray(values).dtype.kind in "fiu"
    }
    try:
        return kind.from_columns(arrays, signature)
    except KeyError as error:
        raise _missing(str(error), signature) from None


def _nested(columns: Mapping[str, Any] | pd.DataFrame) -> Distribution:
    for name in ("mean", "variance"):
        if name not in columns:
            raise _missing(repr(name), Normal.family)
    mean, variance, df, skew = (
        np.asarray(columns.get(name, np.nan), dtype=np.float64)
        for name in ("mean", "variance", "df", "skew")
    )
    if not np.isnan(skew).all():
        return SkewedT(mean, variance, df, skew)
    return StudentT(mean, variance, df) if np.isfinite(df).any() else Normal(mean, variance)


def _missing(column: str, signature: str) -> DataError:
    return DataError(
        f"distributions of the family {signature!r} have no column {column}",
        "give all columns that they were written with",
    )


def _by_row(table: pd.DataFrame, signatures: pd.Series) -> Distribution:
    codes, names = pd.factorize(signatures, use_na_sentinel=False)
    rows = [np.flatnonzero(codes == code) for code in range(len(names))]
    table = table.drop(columns=SIGNATURE)
    parts = [
        from_columns(table.iloc[own], name if isinstance(name, str) else None)
        for own, name in zip(rows, names, strict=True)
    ]
    return parts[0] if len(parts) == 1 else ByRow(tuple(parts), tuple(rows))
