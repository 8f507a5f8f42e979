"""A table of runs that somebody else measured, as run records."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import track

from distiller.errors import UserError
from distiller.files import check_folder
from distiller.runs.record import FILE, RunRecord
from distiller.runs.table import read_table
from distiller.runs.table_mapping import SECTIONS, TableMapping
from distiller.schema import validated_by

_RECORD = TypeAdapter(RunRecord)
_UNSAID: dict[str, Any] = {
    "created": "",
    "version": "",
    "status": "finished",
    "seed": 0,
    "retention": None,
    **{section: {} for section in SECTIONS},
}
"""What a record says where the table says nothing."""


@dataclass(frozen=True)
class Imported:
    """How many records were written, and how many an earlier call had written."""

    written: int
    kept: int


def import_table(mapping: str | Path, table: str | Path, out: str | Path) -> Imported:
    """Write `out`/ID/run.json for each row of a table; IDs follow from what the mapping makes of the row.

    Everything is checked before anything is written, and each record is written atomically. Called again, also after
    it was killed, it writes what is lacking.

    Args:
        mapping: A YAML file, a `TableMapping`.
        table: A CSV, TSV, JSON lines or Parquet file.
        out: A folder, of this table alone.

    Raises:
        UserError: If the mapping or the table is not usable, or `out` has a record that no row makes: the row was
            changed or removed, or the mapping was.
    """
    table, out = Path(table), Path(out)
    records = _records(TableMapping.from_yaml(mapping), table)
    check_folder(out)
    there = {path.parent.name for path in out.glob(f"*/{FILE}")}
    strangers = sorted(there.difference(record.id for record in records))
    if strangers:
        mend = "a row or the mapping was changed, or they are of another table; remove them, or name another --out"
        raise UserError(str(out), f"{len(strangers)} records are of no row of {table}, e.g. {strangers[0]}: {mend}")
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"*/.{FILE}.*"):  # by a call that was killed
        left.unlink(missing_ok=True)
    for record in _shown([record for record in records if record.id not in there]):
        record.write(out / record.id)
    return Imported(written=len(records) - len(there), kept=len(there))


def _records(mapping: TableMapping, path: Path) -> list[RunRecord]:
    table = read_table(path)
    records, times = [], Counter[str]()
    for row, content in enumerate(mapping.contents(table)):
        record = validated_by(_RECORD, {"id": "", **_UNSAID, **content}, table.row(row))
        said = hashlib.sha256(json.dumps(record.model_dump(), sort_keys=True).encode()).hexdigest()
        times[said] += 1
        # Runs that nothing tells apart, as of two seeds that the table does not name, are as many records.
        record.id = hashlib.sha256(f"{said} {times[said]}".encode()).hexdigest()[:16]
        records.append(record)
    return records


def _shown(records: list[RunRecord]) -> Iterable[RunRecord]:
    console = Console(stderr=True)
    return track(records, "importing runs", console=console, disable=not console.is_terminal)
