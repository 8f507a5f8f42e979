"""Losses between layers: one file each."""

from typing import Annotated

from pydantic import Field

from distiller.objectives.intermediate.ce import HiddenCE
from distiller.objectives.intermediate.cos import Cos
from distiller.objectives.intermediate.infonce import InfoNCE
from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, LearnedHiddenLoss, Reading
from distiller.objectives.intermediate.mi import MI
from distiller.objectives.intermediate.mse import HiddenMSE
from distiller.objectives.intermediate.nwj import NWJ
from distiller.objectives.intermediate.pkd import PKD
from distiller.objectives.intermediate.tuba import TUBA

Intermediate = Annotated[HiddenMSE | Cos | PKD | HiddenCE | MI | InfoNCE | NWJ | TUBA, Field(discriminator="type")]

__all__ = ["HiddenLoss", "HiddenLossConfig", "Intermediate", "LearnedHiddenLoss", "Reading"]
