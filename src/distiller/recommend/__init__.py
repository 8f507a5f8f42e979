"""AutoDistiller: which pipelines are worth trying on a dataset that nobody has tried, by what is known of others."""

from distiller.recommend.advice import Advice, Recommendation, choose
from distiller.recommend.cost import expected_seconds
from distiller.recommend.recommender import Recommender
from distiller.recommend.subject import Subject, base_of, student_of

__all__ = ["Advice", "Recommendation", "Recommender", "Subject", "base_of", "choose", "expected_seconds", "student_of"]
