"""Run records: one `run.json` per run; a folder of them is a ledger."""

from distiller.runs.ledger import load
from distiller.runs.record import FILE, RunRecord, Status, new_record

__all__ = ["FILE", "RunRecord", "Status", "load", "new_record"]
