"""Losses on what the models predict: one file each."""

from typing import Annotated

from pydantic import Field

from distiller.objectives.prediction.bce import BCE
from distiller.objectives.prediction.ce import CE
from distiller.objectives.prediction.dist import DIST
from distiller.objectives.prediction.dkd import DKD
from distiller.objectives.prediction.jsd import JSD
from distiller.objectives.prediction.kl import KL
from distiller.objectives.prediction.logit_standardised import LogitStandardised
from distiller.objectives.prediction.loss import PredictionLoss
from distiller.objectives.prediction.mse import MSE
from distiller.objectives.prediction.reverse_kl import ReverseKL

Prediction = Annotated[
    KL | CE | BCE | MSE | DKD | DIST | LogitStandardised | JSD | ReverseKL, Field(discriminator="type")
]

__all__ = [
    "BCE",
    "CE",
    "DIST",
    "DKD",
    "JSD",
    "KL",
    "MSE",
    "LogitStandardised",
    "Prediction",
    "PredictionLoss",
    "ReverseKL",
]
