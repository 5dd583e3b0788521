import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fingru.errors import DataError
from fingru.measures.calibration import calibration_table, pit_histogram
from fingru.measures.significance import kupiec


def test_table_of_true_forecasts_is_in_the_binomial_band(table_of):
    """4,000 draws from the forecast itself; each share leaves its band once in 10,000 seeds."""
    y = np.random.default_rng(3).standard_t(5, 4000)
    frame = table_of("m", y, variance=5 / 3, df=5.0)
    row = calibration_table(frame).set_index("asset").loc["S0"]
    for name, probability in (("coverage_50", 0.5), ("coverage_95", 0.95), ("violations_1", 0.01)):
        low, high = stats.binom.ppf([5e-5, 1 - 5e-5], 4000, probability) / 4000
        assert low <= row[name] <= high, name
    assert row["kupiec_p_5"] > 1e-4
    assert row["conditional_p_5"] > 1e-4


def test_too_narrow_forecasts_are_found(table_of):
    y = np.random.default_rng(4).normal(size=2000)
    row = calibration_table(table_of("m", y, variance=0.5)).iloc[1]
    assert row["coverage_95"] < 0.9
    assert row["kupiec_p_1"] < 1e-4


def test_pooled_row_is_over_all_assets_and_has_no_tests(table_of):
    frame = pd.concat(
        [
            table_of("m", np.linspace(-1, 1, 30), asset="A"),
            table_of("m", np.linspace(-9, 9, 10), asset="B"),
        ]
    )
    table = calibration_table(frame, levels=(0.9,)).set_index("asset")
    assert table.loc["pooled", "n"] == 40
    expected = (30 * table.loc["A", "coverage_90"] + 10 * table.loc["B", "coverage_90"]) / 40
    assert table.loc["pooled", "coverage_90"] == pytest.approx(expected)
    assert np.isnan(table.loc["pooled", "kupiec_p_1"])


def test_tests_of_long_horizons_use_rows_that_do_not_overlap(table_of):
    y = np.random.default_rng(5).normal(size=200)
    table = calibration_table(table_of("m", y, horizon=5)).set_index("asset")
    expected = kupiec(y[::5] < stats.norm.ppf(0.05), 0.05).p_value
    assert table.loc["S0", "kupiec_p_5"] == pytest.approx(expected)


def test_pit_histogram_of_true_forecasts_is_flat(table_of):
    """Chi-squared over 20 bins, 5,000 draws; fails once in 10,000 seeds."""
    y = np.random.default_rng(6).normal(size=5000)
    table = pit_histogram(table_of("m", y), "m", bins=20)
    assert table["count"].sum() == 5000
    assert table["density"].mean() == pytest.approx(1.0)
    assert stats.chisquare(table["count"]).pvalue > 1e-4


def test_pit_histogram_counts_by_hand_and_unknown_model_is_refused(table_of):
    frame = table_of("m", [-5.0, -0.1, 0.1, 0.2])
    assert pit_histogram(frame, "m", bins=2)["count"].tolist() == [2, 2]
    with pytest.raises(DataError, match="models are m"):
        pit_histogram(frame, "gru")
