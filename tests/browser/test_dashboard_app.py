"""The dashboard in a real browser: pages load, charts are drawn, nothing leaves the machine."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PAGES = {
    "overview": ("/", "Runs"),
    "run": ("/run?run=first", "Growth of 1 and drawdown"),
    "returns": ("/run?run=first&tab=Returns+%26+risk", "Monthly returns"),
    "quality": ("/run?run=first&tab=Forecast+quality", "Coverage by level"),
    "trades": ("/run?run=first&tab=Trades+%26+costs&win=1Y", "Impact of costs"),
    "folds": ("/run?run=first&tab=Folds", "Training and validation loss"),
    "config": ("/run?run=first&tab=Model+%26+config", "Command to reproduce"),
    "forecasts": ("/forecasts?run=first&fc_asset=BBB", "BBB: forecasts and realised returns"),
    "compare": ("/compare?runs=first&runs=second", "Differing settings"),
    "glossary": ("/glossary", "Glossary"),
}
CHARTS = {"run", "returns", "quality", "trades", "folds", "forecasts", "compare"}


def settled(page, text):
    page.wait_for_selector(
        "[data-testid=stApp][data-test-script-state=notRunning]"
        "[data-test-connection-state=CONNECTED]",
        timeout=60_000,
    )
    page.get_by_text(text, exact=True).first.wait_for(timeout=60_000)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stSkeleton],[data-testid=stSpinner]')"
    )


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_pages_load_and_draw(watched, server, device):
    view = watched(**(PHONE if device == "phone" else {}))
    for name, (path, text) in PAGES.items():
        view.page.goto(server + path)
        settled(view.page, text)
        if name in CHARTS:
            view.page.wait_for_function(
                "() => document.querySelectorAll('.js-plotly-plot .main-svg').length > 0",
                timeout=60_000,
            )
        assert view.page.locator("[data-testid=stException]").count() == 0, name
        assert view.overflow() <= 0, name
    assert view.complaints == []
    assert view.strangers == []


def test_choices_are_written_into_the_url_and_survive_a_reload(watched, server):
    view = watched()
    view.page.goto(server + "/run?run=first")
    settled(view.page, "Growth of 1 and drawdown")
    view.page.get_by_role("radio", name="1Y").click()
    view.page.wait_for_url("**win=1Y**")
    view.page.reload()
    settled(view.page, "Growth of 1 and drawdown")
    assert "run=first" in view.page.url
    assert view.page.get_by_role("radio", name="1Y").get_attribute("aria-checked") == "true"


def test_report_and_csv_downloads_hold_the_run(watched, server):
    view = watched()
    view.page.goto(server + "/run?run=first")
    settled(view.page, "Growth of 1 and drawdown")
    for label, beginning in (("Report (HTML)", "<!doctype html>"), ("Equity (CSV)", "date,strat")):
        with view.page.expect_download() as waiting:
            view.page.get_by_role("button", name=label).click()
        with open(waiting.value.path(), encoding="utf-8") as file:  # noqa: PTH123 - from playwright
            assert file.read(len(beginning)) == beginning
