"""Losses on what the models predict: one file each."""

from typing import Annotated

from pydantic import Field

from distiller.objectives.prediction.ce import CE
from distiller.objectives.prediction.kl import KL
from distiller.objectives.prediction.loss import PredictionLoss
from distiller.objectives.prediction.mse import MSE

Prediction = Annotated[KL | CE | MSE, Field(discriminator="type")]

__all__ = ["CE", "KL", "MSE", "Prediction", "PredictionLoss"]
