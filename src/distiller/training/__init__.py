"""From a pipeline to a trained student and the record of how it went."""

from distiller.training.evaluation import TIMED_SENTENCES, compare_latency
from distiller.training.examinee import Examinee, examinee
from distiller.training.examples import Encoded, Reader, encode
from distiller.training.plan import check, read_by
from distiller.training.preview import preview
from distiller.training.run import PIPELINE, STUDENT, RunResult, advance, build_store, distill, evaluate, finetune
from distiller.training.teacher_scores import scores_of_teachers, teacher_signal
from distiller.training.word_model import adapt_masked_lm

__all__ = [
    "PIPELINE",
    "STUDENT",
    "TIMED_SENTENCES",
    "Encoded",
    "Examinee",
    "Reader",
    "RunResult",
    "adapt_masked_lm",
    "advance",
    "build_store",
    "check",
    "compare_latency",
    "distill",
    "encode",
    "evaluate",
    "examinee",
    "finetune",
    "preview",
    "read_by",
    "scores_of_teachers",
    "teacher_signal",
]
