"""Models without torch and transformers: ONNX, integers for weights, and what both are worth."""

from distiller.export.bench import Benched, bench
from distiller.export.export import export
from distiller.export.exported import Exported
from distiller.export.subject import pipeline_for
from distiller.export.tables import bench_table, export_table

__all__ = ["Benched", "Exported", "bench", "bench_table", "export", "export_table", "pipeline_for"]
