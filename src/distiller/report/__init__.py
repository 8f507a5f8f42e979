"""What people look at after a run: a table in the terminal, and a page with pictures."""

from distiller.report.inventory import store_table, write_inventory
from distiller.report.page import write
from distiller.report.rows import Entry
from distiller.report.terminal import comparison

__all__ = ["Entry", "comparison", "store_table", "write", "write_inventory"]
