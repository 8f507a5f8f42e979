"""Who may call whom, read from the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "distiller"
# From the ground up; rooms on one floor do not import each other.
FLOORS = [
    {"version", "errors", "labels", "words"},
    {"schema", "files", "hub"},
    {"assets"},
    {"machine", "runs"},
    {"models", "data", "tasks"},
    {"objectives", "mapping", "augment", "store", "metafeatures"},
    {"pipeline"},
    {"training"},
    {"analysis"},
    {"recommend"},
    {"search", "export", "report"},
    {"goal"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            rooms |= {name.name.split(".")[1] for name in node.names if name.name.startswith("distiller.")}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room is meant"
            module = (node.module or "").split(".")
            if module == ["distiller"]:
                rooms |= {name.name for name in node.names}
            elif module[0] == "distiller":
                rooms.add(module[1])
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_calls_go_downwards_only(path: Path) -> None:
    room = _room(path)
    for imported in _imported_rooms(path) - {room}:
        assert FLOOR[imported] < FLOOR[room], f"{room} imports {imported}, which is not below it"


def test_help_and_import_load_no_room() -> None:
    """What makes `distiller --help` instant: nothing heavy is imported until a command needs it."""
    script = "import sys, distiller, distiller.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "pandas", "numpy", "datasets", "pydantic"} & set(loaded)
    assert not [name for name in loaded if name.startswith("distiller.") and _is_room(name.split(".")[1])]


def _is_room(name: str) -> bool:
    return name not in ("cli", "errors", "version")
