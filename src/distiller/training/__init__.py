"""From a pipeline to a trained student and the record of how it went."""

from distiller.training.preview import preview
from distiller.training.run import RunResult, build_store, distill, evaluate, finetune

__all__ = ["RunResult", "build_store", "distill", "evaluate", "finetune", "preview"]
