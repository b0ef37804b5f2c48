"""The page in a browser: it draws, it reacts, and it fits on narrow and wide screens."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.page.page_contents import whole
from tflite_squeeze.page.render import report_page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: install it with `make browser`"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(report_page(whole()))
    return path


def _opened(browser: Browser, path: Path, width: int, complaints: list[str]) -> Page:
    """The page with all of its charts drawn."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark")

    def heard(message: ConsoleMessage) -> None:
        complaints.append(f"{message.type}: {message.text}")

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: complaints.extend(
        [sent.url] if sent.url.startswith("http") else []
    ))  # fmt: skip
    page.goto(path.as_uri())
    page.wait_for_function(
        "document.querySelectorAll('.chart').length === "
        "document.querySelectorAll('.chart[data-drawn]').length"
    )
    return page


@pytest.mark.parametrize("width", [400, 1600])
def test_all_charts_are_drawn_and_fit(browser: Browser, path: Path, width: int) -> None:
    complaints: list[str] = []
    page = _opened(browser, path, width, complaints)
    assert page.locator(".chart svg").count() == 5
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("window.broken === undefined")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != background
    assert complaints == []
    page.close()


def test_the_plot_shows_a_recipe_and_opens_its_details(browser: Browser, path: Path) -> None:
    complaints: list[str] = []
    page = _opened(browser, path, 1000, complaints)
    point = page.locator("#front-chart path[aria-roledescription='point']").nth(1)
    point.hover()
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert "prune: </script>" in tooltip.inner_text()
    said = tooltip.inner_text()
    assert "27,000 bytes" in said
    # In the order in which it is told.
    assert said.index("file") < said.index("download") < said.index("accuracy")
    entry = page.locator("#point-1")
    assert entry.get_attribute("open") is None
    point.click()
    assert entry.get_attribute("open") is not None
    assert page.locator(".point.picked").count() == 1
    assert entry.locator("pre").is_visible()
    assert page.evaluate("window.broken === undefined")
    assert complaints == []
    page.close()
