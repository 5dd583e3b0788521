import json

import numpy as np
import pytest

from fingru.report.figures import KEYS, figures
from fingru.report.theme import extreme_rows

AWKWARD = ("empty", "short", "one_asset", "ruined", "multi_horizon", "no_benchmark")


def test_keys_are_stable(result):
    assert tuple(figures(result)) == KEYS


@pytest.mark.parametrize("case", AWKWARD)
def test_every_figure_of_an_awkward_result_is_drawn_or_says_why_not(awkward_results, case):
    for key, figure in figures(awkward_results[case]).items():
        drawn = any(len(trace.x if trace.x is not None else []) for trace in figure.data)
        assert drawn or figure.layout.meta.get("empty"), key
        json.loads(figure.to_json())


def test_every_figure_has_words_for_those_who_cannot_see_it(result):
    for key, figure in figures(result).items():
        meta = figure.layout.meta
        assert len(meta["alt"]) > 20, key
        assert meta["title"], key
        assert meta["caption"], key


def test_figures_do_not_change_the_result(result):
    before = result.equity.copy(), result.forecasts.copy()
    figures(result)
    assert before[0].equals(result.equity)
    assert before[1].equals(result.forecasts)


def test_figures_use_no_shared_template_of_plotly(result):
    for figure in figures(result).values():
        assert figure.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_extreme_rows_keep_global_extremes_and_ends():
    values = np.random.default_rng(0).normal(size=5000).cumsum()
    rows = extreme_rows(values, buckets=50)
    assert {0, 4999, int(values.argmin()), int(values.argmax())} <= set(rows.tolist())
    assert len(rows) <= 102
    assert (np.diff(rows) > 0).all()
