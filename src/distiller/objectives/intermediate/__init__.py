"""Losses on hidden states: one file each."""

from typing import Annotated

from pydantic import Field

from distiller.objectives.intermediate.ce import HiddenCE
from distiller.objectives.intermediate.cos import Cos
from distiller.objectives.intermediate.loss import HiddenLoss
from distiller.objectives.intermediate.mse import HiddenMSE
from distiller.objectives.intermediate.pkd import PKD

Intermediate = Annotated[HiddenMSE | Cos | PKD | HiddenCE, Field(discriminator="type")]

__all__ = ["PKD", "Cos", "HiddenCE", "HiddenLoss", "HiddenMSE", "Intermediate"]
