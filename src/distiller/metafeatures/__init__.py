"""What a recommender learns from: numbers that say what a dataset is like, and how sure a teacher is on it."""

from distiller.metafeatures.dataset import VERSION, of_dataset
from distiller.metafeatures.predictions import of_predictions

__all__ = ["VERSION", "of_dataset", "of_predictions"]
