"""Models without torch and transformers: ONNX, integers for weights, and what both are worth."""

from distiller.export.bench import Benched, bench
from distiller.export.export import MAX_LOSS, export
from distiller.export.exported import Exported
from distiller.export.graph import OPSET
from distiller.export.tables import bench_table, export_table

__all__ = ["MAX_LOSS", "OPSET", "Benched", "Exported", "bench", "bench_table", "export", "export_table"]
