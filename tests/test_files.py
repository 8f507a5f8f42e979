from pathlib import Path

import pytest

from distiller.files import replaced_folder, write_text


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "student"

    def write_half() -> None:
        with replaced_folder(target) as unfinished:
            (unfinished / "weights").write_text("half")
            assert not target.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_the_one_before_it(tmp_path: Path) -> None:
    target = tmp_path / "student"
    for content in ("first", "second"):
        with replaced_folder(target) as unfinished:
            (unfinished / content).write_text(content)
    assert [path.name for path in target.iterdir()] == ["second"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_text(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "after \ud800")
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]
