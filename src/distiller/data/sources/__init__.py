"""Where examples come from: one file per kind of source."""

from difflib import get_close_matches
from pathlib import Path
from reprlib import repr as shortened

from distiller.data.formats import SUFFIXES
from distiller.data.sources.asset import Asset
from distiller.data.sources.folder import Folder
from distiller.data.sources.glue import Glue
from distiller.data.sources.hub import Hub
from distiller.data.sources.source import Source
from distiller.data.sources.table import Table
from distiller.errors import UserError

# In the order in which they are asked: what is on disk goes before a hub id of the same name.
KINDS: tuple[type[Source], ...] = (Asset, Table, Glue, Folder, Hub)

__all__ = ["KINDS", "Source", "open_source"]


def open_source(name: str, field: str) -> Source:
    """The source that a config field names.

    Raises:
        UserError: If it is none of the kinds, e.g. a file that is not there, or one of another format.
    """
    path = _path(name, field)
    if not _is_absent_or_of_another_format(path):
        for kind in KINDS:
            source = kind.opened(name)
            if source is not None:
                return source
    raise UserError(name, f"{_what_is_wrong(path)}; mend {field}")


def _path(name: str, field: str) -> Path:
    """Where the name would be on disk, which need not be there."""
    if not name.strip():
        raise UserError(field, "is empty; name a file, a folder, asset:NAME or a hub id")
    try:
        path = Path(name).expanduser()
        path.exists()  # refuses names that are too long
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(field, f"{shortened(name)} cannot be looked for ({reason}); give another path") from error
    return path


def _is_absent_or_of_another_format(path: Path) -> bool:
    return not path.is_dir() and path.is_file() != (path.suffix.lower() in SUFFIXES)


def _what_is_wrong(path: Path) -> str:
    if path.is_file():
        return f"is a {path.suffix or 'nameless'} file; files end in {', '.join(SUFFIXES)}"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    near = get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1)
    return f"there is no such file; did you mean {near[0]!r}?" if near else "there is no such file or folder"
