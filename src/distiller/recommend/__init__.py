"""AutoDistiller: which pipelines are worth trying on a dataset that nobody has tried, by what is known of others."""

from distiller.recommend.recommender import Recommender

__all__ = ["Recommender"]
