"""What lies in the store, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from distiller.files import write_json
from distiller.store.inventory import Entry

INVENTORY = "store.json"


def store_table(entries: Sequence[Entry]) -> Group:
    """A row for each teacher, and what they take together."""
    table = Table("teacher", "fine-tuned on", "format", "outputs", "texts", "size", "unused", "folder")
    for entry in entries:
        table.add_row(
            str(entry.about["model"]),
            str(entry.about["data"]),
            str(entry.about["dtype"]).removeprefix("torch."),
            ", ".join(entry.texts),
            str(max(entry.texts.values(), default=0)),
            f"{entry.bytes / 1e6:.1f} MB",
            f"{entry.unused_days:.1f} days",
            entry.folder.name[:8],
        )
    total = f"{sum(entry.bytes for entry in entries) / 1e9:.3g} GB of {len(entries)} teachers"
    return Group(*([table] if entries else []), Text(total))


def write_inventory(entries: Sequence[Entry], damaged: Sequence[Path], folder: Path) -> None:
    """Write `folder`/store.json: what lies there, and which files were found damaged."""
    content = [{**asdict(entry), "folder": str(entry.folder)} for entry in entries]
    write_json(folder / INVENTORY, {"entries": content, "damaged": [str(path) for path in damaged]})
