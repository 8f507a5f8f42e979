"""Pages as a reader has them: in Debian's Chromium, driven by playwright."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from distiller import report
from distiller.report import Entry
from report_inputs import MARKUP, analysis, run_record, run_record_of_layers, search_summary

CHROMIUM = shutil.which("chromium")
KINDS = ["analysis", "search", "distill"]
PHONE = {"viewport": {"width": 375, "height": 700}}
MARK = "figure svg .mark"
TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3.0
"""The least by the Web Content Accessibility Guidelines 2.2, 1.4.3 and 1.4.11."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


@dataclass
class Visit:
    """A page, and what happened on it."""

    page: Page
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.goto(self.address)
        self.page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Visited = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    report.write_analysis(analysis(), folder / "analysis")
    report.write_search(search_summary(), folder / "search.html")
    entries = [Entry(MARKUP, run_record_of_layers()), Entry("labels alone", run_record(0.85))]
    report.write(entries, folder / "distill.html")
    return {
        "analysis": folder / "analysis" / "report.html",
        "search": folder / "search.html",
        "distill": folder / "distill.html",
    }


@pytest.fixture
def visit(browser: Browser, reports: dict[str, Path]) -> Iterator[Visited]:
    """Opens a report; in the end it must have asked for nothing but itself, and nothing may have gone wrong on it."""
    visits: list[Visit] = []

    def opened(kind: str, **options: Any) -> Visit:
        visits.append(Visit(browser.new_context(**options).new_page(), reports[kind].as_uri()))
        return visits[-1]

    yield opened
    for made in visits:
        made.page.context.close()
        assert made.requests == [made.address]
        assert made.complaints == []


def _said(page: Page) -> str:
    tip = page.locator("#tip")
    assert tip.is_visible()
    return tip.inner_text()


def _column(table: Locator, place: int) -> list[dict[str, str]]:
    """What the cells of a column show, and the numbers that they say they are."""
    script = "(rows, place) => rows.map(row => ({text: row.cells[place].innerText, ...row.cells[place].dataset}))"
    found: list[dict[str, str]] = table.locator("tbody tr").evaluate_all(script, place)
    return found


def _sorted_by(table: Locator, title: str, press: Callable[[Locator], None]) -> tuple[str | None, list[dict[str, str]]]:
    """In which direction a table is sorted after `press`, and the column then."""
    header = table.get_by_role("columnheader", name=title, exact=True)
    press(header.get_by_role("button"))
    return header.get_attribute("aria-sort"), _column(table, header.evaluate("header => header.cellIndex"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_user_named_like_a_script_shows_as_text(visit: Visited, kind: str) -> None:
    page = visit(kind).page
    assert page.get_by_text(MARKUP[:16]).count() > 0  # a table of trials shortens what is long
    assert page.locator("script").count() == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_only_tables_scroll_sideways(visit: Visited, kind: str, scheme: str) -> None:
    page = visit(kind, color_scheme=scheme, **PHONE).page
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    page.locator(MARK).last.focus()
    assert _said(page)
    assert page.evaluate(fits)
    wide = "[...document.querySelectorAll('.wide')].some(part => part.scrollWidth > part.clientWidth)"
    assert page.evaluate(wide)


@pytest.mark.parametrize(
    ("title", "column"), [("points", "difference"), ("adjusted p", "adjusted_p"), ("runs", "runs"), ("low", "low")]
)
def test_numbers_are_sorted_as_numbers_both_ways(visit: Visited, title: str, column: str) -> None:
    table = visit("analysis").page.get_by_role("table", name="Contrasts of levels")
    values = sorted(analysis().contrasts[column])
    for direction, expected in (("ascending", values), ("descending", values[::-1])):
        said, cells = _sorted_by(table, title, Locator.click)
        assert said == direction
        assert [float(cell["value"]) for cell in cells] == expected


def test_words_are_sorted_from_the_keyboard_and_one_column_at_a_time_leads(visit: Visited) -> None:
    table = visit("analysis").page.get_by_role("table", name="Contrasts of levels")
    words = sorted(analysis().contrasts["choice"])
    _sorted_by(table, "runs", Locator.click)
    for key, direction, expected in (("Enter", "ascending", words), ("Space", "descending", words[::-1])):
        said, cells = _sorted_by(table, "choice", lambda button, key=key: button.press(key))
        assert said == direction
        assert [cell["text"] for cell in cells] == expected
    leading = table.locator("th:not([aria-sort=none])")
    assert leading.count() == 1


def test_what_is_not_known_comes_last_both_ways(visit: Visited) -> None:
    table = visit("search").page.get_by_role("table", name="All trials")
    trials = search_summary()["trials"]
    stopped = sum(trial["state"] == "pruned" for trial in trials)
    for _ in range(2):
        _, cells = _sorted_by(table, "epochs", Locator.click)
        assert [cell["text"] != "" for cell in cells] == [True] * stopped + [False] * (len(trials) - stopped)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_picture_answers_to_the_pointer(visit: Visited, kind: str, scheme: str) -> None:
    page = visit(kind, color_scheme=scheme).page
    pictures = page.locator("figure svg")
    assert pictures.count() > 1
    for picture in pictures.all():
        marks = picture.locator(".mark")
        sayings = marks.evaluate_all("marks => marks.map(mark => mark.getAttribute('aria-label'))")
        marks.first.scroll_into_view_if_needed()
        box = marks.first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert _said(page) in sayings
        page.mouse.move(0, 0)
        assert page.locator("#tip").is_hidden()


def test_a_mark_tells_its_name_and_its_numbers(visit: Visited) -> None:
    page = visit("analysis").page
    row = analysis().contrasts.query("scope == 'overall' and supported").iloc[0]
    compared = f"{row['choice']}: {row['level']} vs {row['other']}:"
    mark = page.locator(f"{MARK}[aria-label^='{compared}']").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 1, box["y"] + box["height"] / 2)
    numbers = "{:+.1f} ({:.1f} to {:.1f}) points".format(*(100 * row[name] for name in ("difference", "low", "high")))
    runs = f"{row['runs']} runs against {row['other_runs']}"
    assert _said(page) == f"{compared} {numbers}; {runs}".replace("-", "\N{MINUS SIGN}")


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_walked_through_with_the_keyboard(visit: Visited, kind: str) -> None:
    page = visit(kind).page
    focused = "document.activeElement.closest('figure svg .mark') && document.activeElement.getAttribute('aria-label')"
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate(focused):
            break
    first, second = (page.locator(MARK).nth(place).get_attribute("aria-label") for place in (0, 1))
    assert page.evaluate(focused) == first == _said(page)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == second == _said(page)
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == first == _said(page)
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()
    page.keyboard.press("Tab")
    picture = page.locator("figure").first
    assert not picture.locator(".mark:focus").count()


def test_pictures_answer_to_a_finger(visit: Visited) -> None:
    page = visit("analysis", has_touch=True, is_mobile=True, **PHONE).page
    mark = page.locator(MARK).first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] + 4)  # fingers are not exact
    assert _said(page) == mark.get_attribute("aria-label")
    page.touchscreen.tap(2, 2)
    assert page.locator("#tip").is_hidden()


def test_without_scripts_the_marks_have_titles(visit: Visited) -> None:
    page = visit("analysis", java_script_enabled=False).page
    assert page.locator(MARK).count() == page.locator(f"{MARK} > title").count() > 50


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_are_legible_on_light_and_on_dark(visit: Visited, scheme: str) -> None:
    page = visit("analysis", color_scheme=scheme).page
    background = _rgb(Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((2, 2)))
    assert (sum(background) > 600) == (scheme == "light")
    texts = page.locator("figure svg text:not([style*=fill])").evaluate_all(
        "texts => [...new Set(texts.map(text => getComputedStyle(text).fill))]"
    )
    assert texts
    assert all(_contrast(_rgb(text), background) >= TEXT_CONTRAST for text in texts)
    shapes = page.locator(f"{MARK} path").evaluate_all(
        "shapes => [...new Set(shapes.map(shape => getComputedStyle(shape).stroke))].filter(found => found != 'none')"
    )
    assert len(shapes) > 3
    assert all(_contrast(_rgb(shape), background) >= SHAPE_CONTRAST for shape in shapes)


def test_what_is_written_on_tiles_is_legible(visit: Visited) -> None:
    page = visit("analysis").page
    pairs = page.evaluate(ON_TILES)
    assert len(pairs) > 30
    assert min(_contrast(_rgb(text), _rgb(tile)) for text, tile in pairs) >= TEXT_CONTRAST


ON_TILES = """
[...document.querySelectorAll("figure svg text[style*=fill]")].map(text => {
  const box = text.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const tile = [...text.closest("svg").querySelectorAll(".mark")].find(mark => {
    const place = mark.getBoundingClientRect();
    return place.left < x && x < place.right && place.top < y && y < place.bottom;
  });
  return [getComputedStyle(text).fill, getComputedStyle(tile.querySelector("path")).fill];
})
"""


def _rgb(colour: Any) -> tuple[int, int, int]:
    """Of a pixel, or as the browser writes it."""
    parts = re.findall(r"[\d.]+", colour) if isinstance(colour, str) else colour
    red, green, blue = (int(float(part)) for part in parts[:3])
    return red, green, blue


def _contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """By the formula of the Web Content Accessibility Guidelines 2.2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[int, int, int]) -> float:
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
