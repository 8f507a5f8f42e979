"""Run records: one `run.json` per run; a folder of them is a ledger."""

from distiller.runs.importing import Imported, import_table
from distiller.runs.ledger import flat, load
from distiller.runs.record import FILE, RunRecord, Status, new_record
from distiller.runs.table_mapping import TableMapping

__all__ = ["FILE", "Imported", "RunRecord", "Status", "TableMapping", "flat", "import_table", "load", "new_record"]
