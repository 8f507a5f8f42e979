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


def test_what_killed_processes_left_of_a_folder_is_removed_when_it_is_written_again(tmp_path: Path) -> None:
    (tmp_path / ".student.a1b2").mkdir()
    (tmp_path / ".student.a1b2" / "model.safetensors").write_text("half")
    with replaced_folder(tmp_path / "student") as unfinished:
        (unfinished / "config.json").write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["student"]
