"""From a pipeline to a trained student and the record of how it went."""

from distiller.training.plan import check
from distiller.training.preview import preview
from distiller.training.run import RunResult, advance, build_store, distill, evaluate, finetune
from distiller.training.word_model import adapt_masked_lm

__all__ = [
    "RunResult",
    "adapt_masked_lm",
    "advance",
    "build_store",
    "check",
    "distill",
    "evaluate",
    "finetune",
    "preview",
]
