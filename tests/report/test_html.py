import json
import re
from html.parser import HTMLParser

import pytest

from fingru.report import html
from fingru.report.html import render_html
from fingru.report.labels import format_value

AWKWARD = ("empty", "short", "one_asset", "ruined", "multi_horizon", "no_benchmark")


class Outline(HTMLParser):
    """Attributes that could fetch something, headings, captions, and unclosed elements."""

    def __init__(self):
        super().__init__()
        self.links, self.headings, self.regions, self.open = [], [], [], []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.links += [v for k, v in attributes if k in {"src", "href", "srcset", "action"}]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if named.get("role") in {"img", "region"}:
            self.regions.append(named.get("aria-label"))
        if tag not in {"meta", "link", "br", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(result):
    return render_html(result)


def outline(page):
    parsed = Outline()
    parsed.feed(page)
    return parsed


def test_page_refers_to_nothing_outside_itself(page):
    assert all(link.startswith(("#", "data:")) for link in outline(page).links)
    visible = re.sub(r'<script type="text/plain".*?</script>', "", page, flags=re.DOTALL)
    assert "http:" not in visible
    assert "https:" not in visible
    assert "@import" not in visible
    assert "url(" not in visible


def test_elements_are_nested_and_headings_never_skip_a_level(page):
    parsed = outline(page)
    assert parsed.open == []
    assert parsed.headings[0] == 1
    assert parsed.headings.count(1) == 1
    steps = zip(parsed.headings, parsed.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)


def test_every_chart_and_wide_table_has_a_name(page):
    assert all(outline(page).regions)


def test_page_shows_the_stored_numbers(result, page):
    stored = result.metrics["strategies"]["risk_aware"]
    for field, kind in (("sharpe", "ratio"), ("max_drawdown", "percent"), ("dsr", "probability")):
        assert format_value(stored[field], kind) in page
    for text in ("5.0 bp", "next bar", "Survivors only", "fingru backtest", "a" * 64):
        assert text in page


def test_page_data_is_strict_json_with_all_bands(page):
    stored = re.search(r'id="figures">(.*?)</script>', page, re.DOTALL).group(1)
    payload = json.loads(stored, parse_constant=lambda name: pytest.fail(name))
    assert set(payload["bands"]) == {"AAA", "BBB", "CCC"}
    assert payload["figures"]["equity"]["follow"] is True
    references = [t["x"] for f in payload["figures"].values() for t in f["data"] if "x" in t]
    assert all(x < len(payload["pool"]) for x in references if isinstance(x, int))


def test_of_many_assets_those_held_most_are_drawn(result, monkeypatch):
    monkeypatch.setattr(html, "MOST_ASSETS", 2)
    held = result.weights["weight"].abs().groupby(result.weights["asset"]).mean()
    page = render_html(result)
    stored = re.search(r'id="figures">(.*?)</script>', page, re.DOTALL).group(1)
    assert set(json.loads(stored)["bands"]) == set(held.nlargest(2).index)
    assert "The assets held most; 1 more in" in page


def test_page_begins_with_its_type(page):
    assert page.startswith("<!doctype html>\n<html")


def test_equal_results_give_equal_pages(result, page):
    assert render_html(result) == page


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_results_give_a_page(awkward_results, case):
    assert outline(render_html(awkward_results[case])).open == []


def test_names_from_outside_cannot_break_the_page(result_factory):
    evil = "</script><b>X"
    page = render_html(result_factory(n_sessions=120, assets=(evil, "Y")))
    assert evil not in page
    assert outline(page).open == []


def test_page_has_a_horizon_picker_only_when_there_is_a_choice(page, awkward_results):
    assert 'id="horizon"' not in page
    assert 'id="horizon"' in render_html(awkward_results["multi_horizon"])
