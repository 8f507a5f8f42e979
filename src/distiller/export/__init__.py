"""Models without torch and transformers: ONNX, integers for weights, and what both are worth."""

from distiller.export.bench import Benched, bench
from distiller.export.export import check_packages, export
from distiller.export.exported import FLOAT, INT8, ORIGINAL, Exported
from distiller.export.foresight import Foreseen, foresee
from distiller.export.subject import pipeline_for
from distiller.export.tables import bench_table, export_table

__all__ = [
    "FLOAT",
    "INT8",
    "ORIGINAL",
    "Benched",
    "Exported",
    "Foreseen",
    "bench",
    "bench_table",
    "check_packages",
    "export",
    "export_table",
    "foresee",
    "pipeline_for",
]
