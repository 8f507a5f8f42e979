import io
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from pandas import DataFrame
from rich.console import Console

from distiller import report
from report_inputs import MARKUP, analysis, empty_analysis
from written_page import WrittenPage

SVG = "{http://www.w3.org/2000/svg}"
FRAMES = ("importance", "contrasts", "winners", "best", "likeness", "cells")


def _written(found: SimpleNamespace, folder: Path) -> WrittenPage:
    report.write_analysis(found, folder)
    page = WrittenPage((folder / "report.html").read_text(encoding="utf-8"))
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the whole made-up analysis is written."""
    folder = tmp_path_factory.mktemp("analysis")
    report.write_analysis(analysis(), folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> WrittenPage:
    return WrittenPage((folder / "report.html").read_text(encoding="utf-8"))


def _shown(found: SimpleNamespace) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(report.analysis_table(found))
    return console.export_text()


def _marks(picture: Path) -> dict[str, ElementTree.Element]:
    """What can be pointed at, by what it says."""
    tree = ElementTree.parse(picture)
    return {str(mark.findtext(f"{SVG}title")): mark for mark in tree.iterfind(f".//{SVG}g[@class='mark']")}


def _place(mark: ElementTree.Element) -> float:
    """Where its symbol stands from left to right."""
    (symbol,) = mark.iter(f"{SVG}use")
    return float(symbol.attrib["x"])


def test_tables_hold_every_number_of_the_frames(page: WrittenPage) -> None:
    found = analysis()
    for _, row in found.contrasts.iterrows():
        points = f"{100 * row['difference']:+.1f}".replace("-", "\N{MINUS SIGN}").replace("\N{MINUS SIGN}0.0", "+0.0")
        cells = [row["choice"], row["level"], row["other"], row["scope"], row["part"], points]
        assert any(written[: len(cells)] == cells for written in page.rows)
    assert len(page.rows) == sum(len(getattr(found, name)) + 1 for name in FRAMES)


def test_symbols_stand_where_their_values_are(folder: Path) -> None:
    overall = analysis().contrasts.query("scope == 'overall' and supported")
    places = {}
    for said, mark in _marks(folder / "figures" / "contrasts.svg").items():
        for _, row in overall.iterrows():
            if said.startswith(f"{row['choice']}: {row['level']} vs {row['other']}: "):
                places[row["difference"]] = _place(mark)
    assert len(places) == len(overall) > 3
    differences, drawn = np.array([*places]), np.array([*places.values()])
    assert np.polyval(np.polyfit(differences, drawn, 1), differences) == pytest.approx(drawn, abs=0.01)
    assert np.corrcoef(differences, drawn)[0, 1] == pytest.approx(1)


def test_the_unknown_is_a_hatched_box_as_wide_as_its_interval_and_never_a_value(folder: Path) -> None:
    marks = _marks(folder / "figures" / "importance-choice.svg")
    unknown = {said: mark for said, mark in marks.items() if "unknown" in said}
    assert [*unknown] == [
        f"teacher.model, {method}: unknown, the runs cannot tell (0.0 to 35.0)"
        for method in ("functional ANOVA", "permutation")
    ]
    known = [mark for said, mark in marks.items() if said.startswith("teacher.model, PED-ANOVA")]
    for mark in unknown.values():
        assert not [*mark.iter(f"{SVG}use")]
        hatched = [path for path in mark.iter(f"{SVG}path") if "url(#" in path.attrib["style"]]
        assert len(hatched) == 1
    assert len([*known[0].iter(f"{SVG}use")]) == 1
    assert "unknown (0.0 to 35.0)" in _shown(analysis())


@pytest.mark.parametrize("name", FRAMES)
def test_one_frame_alone_makes_its_part_of_the_page(tmp_path: Path, name: str) -> None:
    found = empty_analysis()
    setattr(found, name, getattr(analysis(), name))
    page = _written(found, tmp_path)
    assert len(page.rows) == len(getattr(found, name)) + 1
    assert ("svg" in page.tags) == (name != "best")


def test_a_table_too_small_to_say_anything_says_so(tmp_path: Path) -> None:
    page = _written(empty_analysis(), tmp_path)
    assert "svg" not in page.tags
    assert page.rows == []
    assert "1 run says nothing." in page.text
    assert "too few, or too much alike, to tell what matters" in page.text
    assert _shown(empty_analysis()).strip() == ""
    assert [*(tmp_path / "figures").iterdir()] == []


def test_frames_with_columns_and_no_rows_are_empty_too(tmp_path: Path) -> None:
    whole = analysis()
    page = _written(analysis(**{name: getattr(whole, name).head(0) for name in FRAMES}), tmp_path)
    assert "svg" not in page.tags
    assert page.rows == []


def test_numbers_that_are_not_known_are_left_empty(tmp_path: Path) -> None:
    found = analysis()
    for name in FRAMES:
        frame = getattr(found, name)
        numbers = frame.select_dtypes("number").columns
        setattr(found, name, frame.assign(**dict.fromkeys(numbers, math.nan)))
    page = _written(found, tmp_path)
    assert "nan" not in page.text.lower()
    assert "nan" not in _shown(found).lower()


@pytest.mark.parametrize(
    "evil",
    [
        f'{MARKUP}" onmouseover="alert(1)',
        "</title></svg><img src=x onerror=alert(1)>{{ 7 * 7 }}",
        "[/red]$\\frac{1}{$\x0b",
    ],
)
def test_nothing_of_the_user_becomes_markup(tmp_path: Path, evil: str) -> None:
    found = analysis(sentences=[evil], notes=[evil], about={evil: evil})
    for name in FRAMES:
        frame = getattr(found, name)
        texts = [column for column in frame.select_dtypes(["object", "str"]) if column not in ("kind", "scope")]
        setattr(found, name, frame.assign(**dict.fromkeys(texts, evil)))
    page = _written(found, tmp_path)
    assert page.tags.count("script") == 1  # the page's own
    assert "img" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.text.count(evil) >= len(found.contrasts)
    assert evil.removesuffix("\x0b") in _shown(found)
    for picture in (tmp_path / "figures").glob("*.svg"):
        assert not [element for element in ElementTree.parse(picture).iter() if element.tag.endswith("script")]


def test_each_picture_has_a_copy_on_white_for_a_paper(folder: Path, page: WrittenPage) -> None:
    figures = folder / "figures"
    assert len([*figures.glob("*.svg")]) == len([*figures.glob("*.png")]) == page.tags.count("svg")
    for picture in figures.glob("*.svg"):
        background = next(ElementTree.parse(picture).iter(f"{SVG}path"))
        assert "fill: #ffffff" in background.attrib["style"]
        assert picture.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        for kind in ("svg", "png"):
            assert f"figures/{picture.stem}.{kind}" in page.attributes["href"]


def test_pictures_of_an_earlier_analysis_are_gone(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "likeness.svg").write_text("<svg/>")
    report.write_analysis(empty_analysis(), tmp_path)
    assert [*(tmp_path / "figures").iterdir()] == []


def test_no_two_parts_of_the_page_have_one_name(page: WrittenPage) -> None:
    names = page.attributes["id"]
    assert len(names) == len(set(names))


def test_the_same_analysis_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    report.write_analysis(analysis(), tmp_path)
    written = [path for path in folder.rglob("*.*") if path.is_file()]
    assert len(written) > 10
    for path in written:
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes()


def test_of_many_contrasts_the_strongest_are_drawn_and_the_rest_is_said(tmp_path: Path) -> None:
    many = analysis().contrasts.query("scope == 'overall'")
    many = DataFrame(many.to_dict("records") * 3).assign(supported=True)
    page = _written(analysis(contrasts=many), tmp_path)
    assert len(_marks(tmp_path / "figures" / "contrasts.svg")) <= 15
    assert f"The 15 strongest; {len(many) - 15} more are in the table." in page.text


def test_the_terminal_shows_the_strongest_contrasts_that_are_supported() -> None:
    found = analysis()
    supported = found.contrasts[found.contrasts["supported"]]
    largest = supported.loc[supported["difference"].abs().idxmax()]
    weak: dict[str, Any] = dict(zip(("level", "supported", "difference"), ("never shown", False, 0.5), strict=True))
    shown = _shown(analysis(contrasts=DataFrame([*found.contrasts.to_dict("records"), {**largest, **weak}])))
    assert f"{100 * abs(largest['difference']):.1f}" in shown
    assert "never shown" not in shown
