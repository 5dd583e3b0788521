"""A DataFrame of closes as a user has it, and what is made of it once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fingru
from tests.conftest import make_panel


@pytest.fixture(scope="session")
def df():
    prices = make_panel(700, 2, seed=3)
    return pd.DataFrame(prices.close, prices.index, prices.assets)


@pytest.fixture(scope="session")
def prices(df):
    return fingru.Prices.from_frame(df)


@pytest.fixture(scope="session")
def walked(prices):
    models = [fingru.EWMA(), fingru.EWMA(ewma_decay=0.9), fingru.Constant()]
    return fingru.walk_forward(models, prices, refit="quarter", horizons=(1, 5))


class Halves:
    """Half of everything, in equal parts."""

    def target_weights(self, view):
        return np.full(len(view.assets), 0.5 / len(view.assets))


@pytest.fixture
def halves():
    return Halves()
