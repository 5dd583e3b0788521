"""Toy panels with prices one can multiply by hand."""

import numpy as np
import pandas as pd
import pytest

from fingru.market.prices import Prices


@pytest.fixture
def toy():
    """A factory: closes (T,) or (T, A) and optional opens on business days from 2024-01-01."""

    def make(close, opens=None, bars_per_year=252.0, index=None):
        close = np.array(close, dtype=float)
        close = close[:, None] if close.ndim == 1 else close
        if opens is not None:
            opens = np.array(opens, dtype=float).reshape(close.shape)
        if index is None:
            index = pd.bdate_range("2024-01-01", periods=len(close))
        return Prices(
            index=index,
            assets=tuple("ABCDEFGH"[: close.shape[1]]),
            close=close,
            open=opens,
            bars_per_year=bars_per_year,
            source="toy",
        )

    return make


class Scripted:
    """Returns the next entry of a list each time it is asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.views = []

    def target_weights(self, view):
        self.views.append(view)
        return self.answers.pop(0) if self.answers else None


@pytest.fixture
def scripted():
    return Scripted
