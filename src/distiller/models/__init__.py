"""Teachers and students: loading them, building a student out of a teacher, and how fast they are."""

from distiller.models.attention import attention_maps, attention_vectors
from distiller.models.config import FinetuneConfig, Precision, StudentConfig, TeacherConfig
from distiller.models.description import describe, fingerprint, size_on_disk
from distiller.models.features import (
    FROM_MAPS,
    Features,
    Kind,
    Reading,
    as_scores,
    joined_features,
    read,
)
from distiller.models.heads import HeadKind
from distiller.models.labels import classes_in_order_of
from distiller.models.language import (
    load_masked_language_model,
    load_translation_model,
    load_without_head_for_words,
    scores_at,
    whole_words,
)
from distiller.models.latency import BATCH, Latency, measure
from distiller.models.loading import (
    load_classifier,
    load_config,
    load_encoder,
    load_tokenizer,
    longest_text,
    quiet,
    same_tokenizer,
    seeded,
    tokenizer_fingerprint,
)
from distiller.models.packing import pack
from distiller.models.saving import save
from distiller.models.student import build_student, check_layers, cut, described, outline

__all__ = [
    "BATCH",
    "FROM_MAPS",
    "Features",
    "FinetuneConfig",
    "HeadKind",
    "Kind",
    "Latency",
    "Precision",
    "Reading",
    "StudentConfig",
    "TeacherConfig",
    "as_scores",
    "attention_maps",
    "attention_vectors",
    "build_student",
    "check_layers",
    "classes_in_order_of",
    "cut",
    "describe",
    "described",
    "fingerprint",
    "joined_features",
    "load_classifier",
    "load_config",
    "load_encoder",
    "load_masked_language_model",
    "load_tokenizer",
    "load_translation_model",
    "load_without_head_for_words",
    "longest_text",
    "measure",
    "outline",
    "pack",
    "quiet",
    "read",
    "same_tokenizer",
    "save",
    "scores_at",
    "seeded",
    "size_on_disk",
    "tokenizer_fingerprint",
    "whole_words",
]
