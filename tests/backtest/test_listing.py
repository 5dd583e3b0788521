"""The row of the latest bar, and the silence after it, by hand and without the future."""

import numpy as np
import pandas as pd

from fingru.market.calendars import last_bars

CLOSES = [[np.nan, 1.0], [1.0, np.nan], [np.nan, np.nan], [np.nan, 1.0], [1.0, np.nan]]
DAYS = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06", "2024-01-09"])


def test_last_bars_and_silence_by_hand(toy):
    last_bar, silent = last_bars(toy(CLOSES, index=DAYS), 3)
    assert last_bar.tolist() == [[-1, 0], [1, 0], [1, 0], [1, 3], [4, 3]]
    over_three_days = [[False, False], [False, False], [False, True], [True, False]]
    assert silent.tolist() == [*over_three_days, [False, False]]


def test_last_bars_know_nothing_of_later_sessions(toy):
    whole = last_bars(toy(CLOSES, index=DAYS), 3)
    for end in range(2, len(DAYS)):
        known = last_bars(toy(CLOSES[:end], index=DAYS[:end]), 3)
        for ours, theirs in zip(known, whole, strict=True):
            assert np.array_equal(ours, theirs[:end])
