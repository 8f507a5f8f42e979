"""From a pipeline to a trained student and the record of how it went."""

from distiller.training.preview import preview
from distiller.training.run import RunResult, build_store, distill, evaluate, finetune
from distiller.training.word_model import adapt_masked_lm

__all__ = ["RunResult", "adapt_masked_lm", "build_store", "distill", "evaluate", "finetune", "preview"]
