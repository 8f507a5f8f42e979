import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from distiller import report
from distiller.report import Entry
from report_inputs import run_record
from written_page import WrittenPage


def _written(entries: list[Entry], path: Path) -> WrittenPage:
    report.write(entries, path)
    return WrittenPage(path.read_text(encoding="utf-8"))


def _shown(entries: list[Entry]) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(report.comparison(entries))
    return console.export_text()


def test_the_table_has_the_figures_of_the_records(tmp_path: Path) -> None:
    page = _written(
        [Entry("distilled", run_record(0.9)), Entry("labels alone", run_record(0.8))], tmp_path / "report.html"
    )
    assert page.open == []
    assert page.rows[0] == ["", "teacher", "distilled", "labels alone"]
    table = {row[0]: row[1:] for row in page.rows[1:]}
    assert table["accuracy (test)"] == ["0.9600", "0.9000", "0.8000"]
    assert table["f1 (test)"] == ["0.7000", "0.5000", "0.5000"]
    assert table["retention"] == ["", "93.8%", "83.3%"]
    assert table["layers"] == ["6", "3", "3"]
    assert table["parameters"] == ["22,715,526", "17,392,134", "17,392,134"]
    assert table["parameters, share of the teacher's"] == ["", "76.6%", "76.6%"]
    assert table["size on disk, MB"] == ["91.6", "70.3", "70.3"]
    assert table["CPU ms per sentence, median"] == ["10.00", "4.00", "4.00"]
    assert table["CPU ms per sentence, p95"] == ["12.00", "6.00", "6.00"]
    assert table["CPU sentences per second, batches of 32"] == ["400", "900", "900"]
    assert table["times as fast as the teacher"] == ["", "2.50", "2.50"]
    assert table["training, seconds"] == ["42", "123", "123"]
    assert table["training, examples per second"] == ["", "212", "212"]
    assert len(table) == 13
    assert "keeps 93.8% of the teacher's accuracy with 3 of 6 layers, 2.5 times as fast." in page.text
    assert "In points of accuracy: +10.0 against 'labels alone'." in page.text


def test_each_student_is_compared_with_the_teacher_of_its_own_run(tmp_path: Path) -> None:
    busy = {"teacher": {"median_ms": 30.0}, "student": {"median_ms": 10.0}}
    page = _written(
        [Entry("distilled", run_record()), Entry("busy", run_record(latency=busy))], tmp_path / "report.html"
    )
    table = {row[0]: row[1:] for row in page.rows[1:]}
    assert table["CPU ms per sentence, median"] == ["10.00", "4.00", "10.00"]
    assert table["times as fast as the teacher"] == ["", "2.50", "3.00"]


def test_the_terminal_shows_the_same(tmp_path: Path) -> None:
    entries = [Entry("student", run_record())]
    shown = _shown(entries)
    for row in _written(entries, tmp_path / "report.html").rows[1:]:
        assert all(cell in shown for cell in row)


def test_pictures_are_drawn_for_validation_and_for_each_loss(tmp_path: Path) -> None:
    page = _written([Entry("distilled", run_record()), Entry("labels alone", run_record())], tmp_path / "report.html")
    assert page.tags.count("svg") == 3
    assert "validation accuracy" in page.text
    assert "prediction.kl" in page.text


def test_the_mutual_information_of_each_layer_pair_is_drawn_where_there_is_any(tmp_path: Path) -> None:
    record = run_record()
    steps = [entry for entry in record.metrics["history"] if "loss" in entry]
    for nats, step in enumerate(steps):
        step.update({"mutual_information.1-2": 0.5 * nats, "mutual_information.2-10": 0.25 * nats})
        step.update({"mapping.1-2": 0.75, "mapping.1-10": 0.25})
    report.write([Entry("with it", record), Entry("without", run_record())], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("mutual information, nats") == 1
    assert "1 of 2" in page
    assert "2 of 10" in page
    assert "How much each pair of layers weighed in the end: with it" in page
    assert "How much each pair of layers weighed in the end: without" not in page
    assert ">0.75<" in page


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "again"):
        report.write([Entry("student", run_record())], tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()


def test_nothing_of_the_user_becomes_markup(tmp_path: Path) -> None:
    evil = "<script>alert('&')</script>"
    data = {"source": evil, "class_counts": {evil: 1}, "overlap": {"train/test": 2}}
    record = run_record(data=data, pipeline={"data": {"source": evil}})
    record.metrics["history"][0][f"prediction.{evil}"] = 1.0
    page = _written([Entry(evil, record)], tmp_path / "report.html")
    assert page.tags.count("script") == 1  # the page's own
    assert page.open == []
    assert page.text.count(evil) >= 4


def test_texts_in_two_splits_are_a_warning(tmp_path: Path) -> None:
    page = _written([Entry("student", run_record(data={"overlap": {"train/test": 7}}))], tmp_path / "report.html")
    assert "7 texts are in train and in test" in page.text


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"retention": None}, "no accuracy to speak of"),
        (
            {"status": "failed", "metrics": {"error": "objective.prediction.kl: not finite"}},
            "objective.prediction.kl: not",
        ),
        (
            {"status": "stopped", "metrics": {}, "data": {}, "latency": {}, "cost": {}},
            "The run 'student' ended as stopped",
        ),
        ({"latency": {}}, "with 3 of 6 layers."),
    ],
)
def test_records_with_parts_missing_still_make_a_page(tmp_path: Path, changes: dict[str, Any], shown: str) -> None:
    page = _written([Entry("student", run_record(**changes))], tmp_path / "report.html")
    assert page.open == []
    assert shown in page.text


FAILED = {"status": "failed", "metrics": {"error": "disk full"}, "student": {}, "latency": {}, "cost": {}}


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ([{}, FAILED], ["", "teacher", "student 0"]),
        ([FAILED, {}], ["", "teacher", "student 1"]),
        ([FAILED], None),
    ],
)
def test_a_failed_run_has_its_error_and_no_column(
    tmp_path: Path, changes: list[dict[str, Any]], columns: list[str] | None
) -> None:
    entries = [Entry(f"student {number}", run_record(**change)) for number, change in enumerate(changes)]
    page = _written(entries, tmp_path / "report.html")
    assert page.open == []
    assert (page.rows[0] if page.rows else None) == columns
    assert ("teacher" in _shown(entries)) == (columns is not None)
    for text in (page.text, _shown(entries)):
        assert f"The run 'student {changes.index(FAILED)}' ended as failed: disk full" in text
        assert ("keeps 93.8%" in text) == (changes[0] == {})


def test_a_page_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("earlier")
    half_a_character = "\ud800"
    with pytest.raises(UnicodeEncodeError):
        report.write([Entry("student", run_record(data={"source": half_a_character}))], path)
    assert path.read_text() == "earlier"
    assert [*tmp_path.iterdir()] == [path]


def test_a_run_without_history_has_no_pictures(tmp_path: Path) -> None:
    record = run_record()
    record.metrics["history"] = []
    assert "svg" not in _written([Entry("student", record)], tmp_path / "report.html").tags
