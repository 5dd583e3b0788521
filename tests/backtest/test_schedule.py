"""Folds: exact dates, and laws that hold for every mode."""

from datetime import date

import pandas as pd
import pytest

from fingru.backtest.schedule import WalkForwardSettings, make_folds
from fingru.errors import ConfigError

DAILY = pd.bdate_range("1999-01-04", "2004-12-31")
CRYPTO = pd.date_range("2018-01-01", "2022-06-30", freq="D")
HOURLY = pd.date_range("2024-01-01", "2024-12-31 23:00", freq="h", tz="UTC")


def origins(index, folds):
    return [str(index[fold.origin].date()) for fold in folds]


def test_make_folds_yearly_origins_are_last_sessions_of_the_year():
    settings = WalkForwardSettings(first_refit=date(2002, 1, 1))
    folds = make_folds(DAILY, settings, (1,))
    assert origins(DAILY, folds) == ["2001-12-31", "2002-12-31", "2003-12-31"]
    assert [str(DAILY[f.test_last].date()) for f in folds] == [
        "2002-12-30", "2003-12-30", "2004-12-30",
    ]  # fmt: skip
    # 2004-12-31 is the last session: only the session before it can still be judged


def test_make_folds_first_refit_inside_a_year_is_followed_by_new_year():
    settings = WalkForwardSettings(first_refit=date(2002, 5, 15))
    assert origins(DAILY, make_folds(DAILY, settings, (1,))) == [
        "2002-05-14", "2002-12-31", "2003-12-31",
    ]  # fmt: skip


def test_make_folds_boundary_on_a_weekend_uses_friday():
    settings = WalkForwardSettings(refit="month", first_refit=date(2002, 9, 1))  # a Sunday
    assert origins(DAILY, make_folds(DAILY, settings, (1,)))[:4] == [
        "2002-08-30", "2002-09-30", "2002-10-31", "2002-11-29",
    ]  # fmt: skip


def test_make_folds_quarterly_dates():
    settings = WalkForwardSettings(refit="quarter", first_refit=date(2004, 1, 1))
    assert origins(DAILY, make_folds(DAILY, settings, (1,))) == [
        "2003-12-31", "2004-03-31", "2004-06-30", "2004-09-30",
    ]  # fmt: skip


def test_make_folds_every_n_bars():
    settings = WalkForwardSettings(refit=100, first_refit=date(2004, 1, 1))
    folds = make_folds(DAILY, settings, (1,))
    first = DAILY.get_loc("2003-12-31")
    assert [fold.origin for fold in folds] == [first, first + 100, first + 200]
    assert folds[-1].test_last == len(DAILY) - 2


def test_make_folds_all_days_market():
    settings = WalkForwardSettings(first_refit=date(2020, 1, 1))
    assert origins(CRYPTO, make_folds(CRYPTO, settings, (1,))) == [
        "2019-12-31", "2020-12-31", "2021-12-31",
    ]  # fmt: skip


def test_make_folds_intraday_origin_is_last_bar_before_midnight():
    settings = WalkForwardSettings(refit="quarter", first_refit=date(2024, 4, 1))
    folds = make_folds(HOURLY, settings, (1,))
    assert [str(HOURLY[f.origin]) for f in folds] == [
        "2024-03-31 23:00:00+00:00", "2024-06-30 23:00:00+00:00", "2024-09-30 23:00:00+00:00",
    ]  # fmt: skip


def test_make_folds_month_without_sessions_has_no_fold():
    index = DAILY[(DAILY < "2003-03-01") | (DAILY >= "2003-06-01")]
    settings = WalkForwardSettings(refit="month", first_refit=date(2003, 2, 1))
    assert origins(index, make_folds(index, settings, (1,)))[:4] == [
        "2003-01-31", "2003-02-28", "2003-06-30", "2003-07-31",
    ]  # fmt: skip


def test_make_folds_rolling_window_holds_rolling_bars():
    settings = WalkForwardSettings(
        window="rolling", rolling_bars=600, first_refit=date(2002, 1, 1)
    )
    for fold in make_folds(DAILY, settings, (1,)):
        assert fold.origin - fold.train_first + 1 == 600


def test_make_folds_default_first_refit_is_three_years_or_three_tenths():
    # 30 % of 1999-2004 ends in October 2000, three years end in January 2002: next new year 2003
    assert origins(DAILY, make_folds(DAILY, WalkForwardSettings(), (1,)))[0] == "2002-12-31"
    # of 30 years three tenths are 9 years, up to the end of 1998
    long = pd.bdate_range("1990-01-01", "2019-12-31")
    assert origins(long, make_folds(long, WalkForwardSettings(), (1,)))[0] == "1998-12-31"
    # one year has no three: 60 % of it ends on 7 August
    settings = WalkForwardSettings(refit="month")
    assert origins(HOURLY, make_folds(HOURLY, settings, (1,)))[0] == "2024-08-31"


def test_make_folds_default_of_short_data_falls_back_to_the_day_itself():
    index = pd.bdate_range("2020-01-06", periods=700)  # ends on 2022-09-09
    # three years are not there; 500 labels end on 2021-12-03, 60 % on 2021-08-13
    assert origins(index, make_folds(index, WalkForwardSettings(), (1,))) == ["2021-12-31"]
    short = index[:510]  # ends before the next new year
    folds = make_folds(short, WalkForwardSettings(), (1,))
    assert [(fold.origin, fold.test_last) for fold in folds] == [(500, 508)]


MODES = ["year", "quarter", "month", 63]
INDICES = {"business": DAILY, "all_days": CRYPTO, "hourly": HOURLY}


@pytest.mark.parametrize("horizons", [(1,), (1, 5, 21)], ids=str)
@pytest.mark.parametrize("window", ["expanding", "rolling"])
@pytest.mark.parametrize("refit", MODES)
@pytest.mark.parametrize("calendar", INDICES)
def test_make_folds_are_ordered_disjoint_and_contiguous(calendar, refit, window, horizons):
    index = INDICES[calendar]
    settings = WalkForwardSettings(refit=refit, window=window, rolling_bars=500)
    folds = make_folds(index, settings, horizons)
    assert [fold.number for fold in folds] == list(range(len(folds)))
    assert all(fold.test_first == fold.origin for fold in folds)
    covered = [row for fold in folds for row in range(fold.test_first, fold.test_last + 1)]
    assert covered == list(range(folds[0].origin, len(index) - 1))
    assert folds[0].origin + 1 - max(horizons) >= settings.min_train_bars
    for fold in folds:
        expected = 0 if window == "expanding" else fold.origin - 499
        assert fold.train_first == expected


@pytest.mark.parametrize(
    ("refit", "count"), [("year", 3), ("quarter", 12), ("month", 36), (63, 13)]
)
def test_make_folds_count(refit, count):
    # 2002-2004: 3 years; 784 sessions from the origin on, without the last: 783 / 63 = 12.4
    settings = WalkForwardSettings(refit=refit, first_refit=date(2002, 1, 1))
    assert len(make_folds(DAILY, settings, (1,))) == count


def test_make_folds_do_not_depend_on_what_comes_later():
    settings = WalkForwardSettings(refit="quarter", first_refit=date(2002, 1, 1))
    whole = make_folds(DAILY, settings, (1, 5))
    cut = make_folds(DAILY[:1100], settings, (1, 5))
    assert cut[:-1] == whole[: len(cut) - 1]
    assert cut[-1].origin == whole[len(cut) - 1].origin


def test_make_folds_refuses_a_first_refit_before_enough_data():
    settings = WalkForwardSettings(first_refit=date(2000, 1, 3))
    with pytest.raises(ConfigError) as refused:
        make_folds(DAILY, settings, (1,))
    # sessions 1999-01-04 .. 1999-12-31; the 501st session is 2000-12-04
    assert str(refused.value) == (
        "first refit before enough data: 260 sessions before 2000-01-03 are fewer than the 501 "
        "that 500 training labels need: set first_refit to 2000-12-05 or later, or lower "
        "min_train_bars"
    )


def test_make_folds_takes_the_date_it_proposes():
    settings = WalkForwardSettings(first_refit=date(2000, 12, 5))
    assert make_folds(DAILY, settings, (1,))[0].origin == 500
    with pytest.raises(ConfigError, match="2000-12-05 or later"):
        make_folds(DAILY, settings.model_copy(update={"first_refit": date(2000, 12, 4)}), (1,))


def test_make_folds_counts_labels_of_the_longest_horizon():
    # at origin 504 the 500 rows 0..499 know their close five sessions later
    just_enough = WalkForwardSettings(first_refit=DAILY[505].date())
    assert make_folds(DAILY, just_enough, (1, 5))[0].origin == 504
    with pytest.raises(ConfigError, match=r"504 sessions before .* fewer than the 505"):
        make_folds(DAILY, WalkForwardSettings(first_refit=DAILY[504].date()), (1, 5))


def test_make_folds_refuses_forty_rows():
    with pytest.raises(ConfigError, match=r"before enough data: 40 sessions .* at least 502"):
        make_folds(DAILY[:40], WalkForwardSettings(), (1,))
    assert len(make_folds(DAILY[:502], WalkForwardSettings(), (1,))) == 1


def test_make_folds_refuses_a_first_refit_after_the_data():
    with pytest.raises(ConfigError, match="leaves nothing to forecast"):
        make_folds(DAILY, WalkForwardSettings(first_refit=date(2010, 1, 1)), (1,))


def test_settings_refuse_a_window_below_the_minimum():
    with pytest.raises(ValueError, match="rolling_bars 100 is below min_train_bars 500"):
        WalkForwardSettings(window="rolling", rolling_bars=100)
