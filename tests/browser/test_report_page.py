"""The HTML report in a real browser, opened from a file."""

import pytest

from fingru.report.figures import KEYS
from fingru.report.html import render_html

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
READY = "() => document.documentElement.dataset.ready === 'yes'"


@pytest.fixture(scope="module")
def report(factory, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_html(factory.make_result(horizons=(1, 5))), encoding="utf-8")
    return path.as_uri()


def opened(watched, report, **options):
    view = watched(**options)
    view.page.goto(report)
    view.page.wait_for_function(READY, timeout=60_000)
    return view


def test_every_chart_is_drawn_without_a_complaint_or_a_request(watched, report):
    view = opened(watched, report)
    drawn = view.page.evaluate(
        "() => [...document.querySelectorAll('.plot')].map("
        "n => [n.dataset.key ?? n.id, n.querySelectorAll('.main-svg').length > 0])"
    )
    assert {key for key, _ in drawn} == (set(KEYS) - {"forecast_bands"}) | {"bands"}
    assert all(done for _, done in drawn)
    lines = view.page.locator("[data-key=equity] .scatterlayer .trace path.js-line").count()
    assert lines == 6
    assert view.complaints == []
    assert view.strangers == []


def test_phone_needs_no_sideways_scrolling(watched, report):
    view = opened(watched, report, **PHONE)
    assert view.overflow() <= 0
    assert view.complaints == []


def test_dark_page_has_dark_paper_and_light_chart_text(watched, report):
    view = opened(watched, report, color_scheme="dark")
    assert (
        view.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 23)"
    )
    fill = view.page.evaluate(
        "getComputedStyle(document.querySelector('[data-key=equity] .xtick text')).fill"
    )
    assert fill == "rgb(230, 237, 243)"


def test_picker_draws_the_chosen_asset_and_horizon(watched, report):
    view = opened(watched, report)
    view.page.select_option("#asset", "CCC")
    view.page.select_option("#horizon", "5")
    view.page.wait_for_function(
        "() => document.getElementById('bands-caption').textContent.includes('5 bars ahead')"
    )
    view.page.wait_for_function(
        "() => document.getElementById('bands').getAttribute('aria-label').includes('CCC')"
    )
    assert view.page.locator("#bands .scatterlayer .trace").count() > 5
    assert view.complaints == []


def test_y_axis_follows_a_zoom_of_the_x_axis_and_comes_back(watched, report):
    view = opened(watched, report)
    ranges = """() => document.querySelector('[data-key=equity]')._fullLayout.yaxis.range"""
    before = view.page.evaluate(ranges)
    zoom = """() => Plotly.relayout(document.querySelector('[data-key=equity]'),
        {'xaxis.range[0]': '2015-02-01', 'xaxis.range[1]': '2015-03-01'})"""
    view.page.evaluate(zoom)
    view.page.wait_for_timeout(300)
    zoomed = view.page.evaluate(ranges)
    assert zoomed[1] - zoomed[0] < 0.5 * (before[1] - before[0])
    view.page.evaluate(
        "() => Plotly.relayout(document.querySelector('[data-key=equity]'),"
        "{'xaxis.autorange': true})"
    )
    view.page.wait_for_timeout(300)
    assert view.page.evaluate(ranges) == pytest.approx(before, rel=1e-3)


def test_tables_are_complete_without_scripts(watched, report):
    view = watched(java_script_enabled=False)
    view.page.goto(report)
    assert view.page.locator("table").count() >= 10
    assert view.page.locator("noscript, .warning").count() > 0


def test_printed_page_opens_details_and_fits_the_paper(watched, report):
    view = opened(watched, report, viewport={"width": 1280, "height": 900})
    view.page.emulate_media(media="print")
    view.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    view.page.wait_for_timeout(500)
    widths = view.page.evaluate(
        "() => [...document.querySelectorAll('.plot .main-svg')].map(n => n.clientWidth)"
    )
    assert max(widths) <= 700
    assert view.page.evaluate("() => [...document.querySelectorAll('details')].every(d => d.open)")
