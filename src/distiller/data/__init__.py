"""Where examples come from: sources, their validation, and how they are split."""

from distiller.data.config import DataConfig, Splits
from distiller.data.dataset import Dataset, load
from distiller.data.examples import Examples

__all__ = ["DataConfig", "Dataset", "Examples", "Splits", "load"]
