"""AutoDistiller: which pipelines are worth trying on a dataset that nobody has tried, by what is known of others."""

from distiller.recommend.advice import Advice, Recommendation
from distiller.recommend.recommender import Recommender
from distiller.recommend.subject import base_of

__all__ = ["Advice", "Recommendation", "Recommender", "base_of"]
