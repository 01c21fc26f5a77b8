"""The page of a report in headless Chromium: it draws, in light, dark and print, and asks for nothing."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from report_runs import changed, judge, session_bars, traded, write_bars

from sentio_trainer.pages.write import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("plotly", reason="needs sentio[report]")
api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("needs Chromium", allow_module_level=True)

CHARTS = ["equity", "periods", "months", "trades", "calibration", "activity", "costs", "distribution"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run that has every chart."""
    root = tmp_path_factory.mktemp("browser")
    bars = session_bars(30)
    judge(root / "tpa", write_bars(root / "XYZ.csv", bars), "--days", "25")
    traded(root / "run", bars, probability=np.random.default_rng(2).uniform(0.4, 0.6, len(bars)))
    periods = json.loads((root / "tpa" / "report.json").read_text())["periods"]
    write_report(changed(root / "run", lambda document: document.update(periods=periods)))
    return root / "run" / "report.html"


class Opened:
    """A page that was opened, and all that it asked for and complained of."""

    def __init__(self, browser: "Browser", path: Path, **context: Any) -> None:
        self.page: Page = browser.new_context(**context).new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-drawn=all]", timeout=60_000)
        self.asked = [url for url in self.asked if url != path.as_uri()]

    def drawn(self) -> list[str]:
        """Keys of the charts that have lines, bars, cells or marks."""
        found: list[str] = self.page.evaluate(
            """[...document.querySelectorAll('.chart')]
               .filter((box) => box.querySelector('.trace, .heatmaplayer image, .hm'))
               .map((box) => box.id.replace('chart-', ''))"""
        )
        return found


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_all_charts_are_drawn_and_nothing_is_asked_for(
    browser: "Browser", whole: Path, width: int, scheme: str
) -> None:
    opened = Opened(browser, whole, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert opened.drawn() == CHARTS
    assert opened.asked == []
    assert opened.complaints == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
    assert opened.page.get_attribute("html", "data-theme") == scheme
    assert not opened.page.is_visible("#failed")


def test_no_button_sends_a_chart_elsewhere(browser: "Browser", whole: Path) -> None:
    page = Opened(browser, whole).page
    titles = set(page.evaluate("[...document.querySelectorAll('.modebar-btn')].map((each) => each.dataset.title)"))
    assert titles <= {"Download plot as a PNG", "Download plot as a png", "Zoom", "Pan", "Zoom in", "Zoom out",
                      "Reset axes"}  # fmt: skip
    assert "Zoom" in titles
    assert page.evaluate("document.querySelectorAll('main a').length") == 0


def wait_until(page: "Page", expression: str) -> None:
    """Waits for an expression to be true. Playwright's own waiting is a kind of eval, which the page forbids."""
    for _ in range(400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {expression}")


def colours(page: "Page") -> tuple[str, str]:
    """Of the page, and of the paper of a chart."""
    found: list[str] = page.evaluate(
        """[getComputedStyle(document.body).backgroundColor,
            getComputedStyle(document.querySelector('#chart-equity .main-svg')).backgroundColor]"""
    )
    return found[0], found[1]


WHITE, DARK = "rgb(255, 255, 255)", "rgb(20, 23, 27)"


def test_the_button_turns_the_page_and_its_charts_dark_and_light_again(browser: "Browser", whole: Path) -> None:
    page = Opened(browser, whole, color_scheme="light").page
    for shown, after in (("Dark", DARK), ("Light", WHITE)):
        assert page.inner_text("#theme") == shown
        page.click("#theme")
        wait_until(page, f"getComputedStyle(document.querySelector('.main-svg')).backgroundColor === '{after}'")
        assert colours(page) == (after, after)


def test_it_prints_light_and_within_the_paper(browser: "Browser", whole: Path) -> None:
    opened = Opened(browser, whole, viewport={"width": 1280, "height": 900}, color_scheme="dark")
    assert opened.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    opened.page.emulate_media(media="print")
    wait_until(opened.page, "document.documentElement.dataset.theme === 'light'")
    assert colours(opened.page) == (WHITE, WHITE)
    assert not opened.page.is_visible("#theme")
    widths = opened.page.evaluate("[...document.querySelectorAll('.main-svg')].map((each) => each.clientWidth)")
    assert max(widths) <= 703, "A4 less its margins, in CSS pixels"
    opened.page.emulate_media(media="screen")
    wait_until(opened.page, "document.documentElement.dataset.theme === 'dark'")
    assert opened.complaints == []


def test_equity_can_be_seen_on_a_logarithmic_scale(browser: "Browser", whole: Path) -> None:
    page = Opened(browser, whole).page
    scale = "document.getElementById('chart-equity').layout.yaxis.type"
    for pressed, kind in (("true", "log"), ("false", "linear")):
        page.click("[data-log=equity]")
        wait_until(page, f"{scale} === '{kind}'")
        assert page.get_attribute("[data-log=equity]", "aria-pressed") == pressed


def test_zooming_draws_the_bars_and_fills_in_view(browser: "Browser", tmp_path: Path) -> None:
    bars = session_bars(200)
    exposure = np.tile([1.0, 1.0, 0.0, 0.0, 0.0, 0.0], len(bars) // 6)
    traded(tmp_path / "run", bars, exposure=exposure, costs="zero")
    write_report(tmp_path / "run", html=tmp_path / "page.html")
    page = Opened(browser, tmp_path / "page.html").page
    assert "fills in view, too many to draw" in page.inner_text("#told-trades")
    points = "document.getElementById('chart-trades').data.map((trace) => trace.x.length)"
    assert page.evaluate(points)[0] <= 6_000
    assert page.evaluate(points)[1:] == [0, 0, 0, 0]
    first = int(bars.ts[6_000]) // 1_000_000
    page.evaluate(
        f"Plotly.relayout('chart-trades', {{'xaxis.range[0]': {first}, 'xaxis.range[1]': {first + 3_540_000}}})"
    )
    wait_until(page, f"{points}[2] > 0")
    line, *marks = page.evaluate(points)
    assert line in (60, 61, 62), "the session's bars and a neighbour on each side"
    assert marks == [0, 10, 10, 0], "each sixth bar an entry, and an exit two bars later"
    assert page.inner_text("#told-trades") == "20 fills in view."
    page.evaluate("Plotly.relayout('chart-trades', {'xaxis.autorange': true})")
    wait_until(page, f"{points}[2] === 0")


@pytest.mark.parametrize(
    ("sessions", "bars_each", "exposure"),
    [(3, 60, 0.0), (1, 2, 1.0), (40, 60, -1.0)],
    ids=["no trades", "two bars", "a short to ruin"],
)
def test_a_page_of_little_or_of_ruin_draws_without_complaint(
    browser: "Browser", tmp_path: Path, sessions: int, bars_each: int, exposure: float
) -> None:
    bars = session_bars(sessions, bars_each, drift=0.004 if exposure < 0.0 else 0.0)
    report = traded(tmp_path / "run", bars, exposure=np.full(len(bars), exposure), costs="zero")
    if exposure < 0.0:
        assert report["metrics"]["total_return"] < -0.9
    write_report(tmp_path / "run")
    opened = Opened(browser, tmp_path / "run" / "report.html")
    assert opened.complaints == []
    assert "equity" in opened.drawn()
