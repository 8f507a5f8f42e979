"""Losses between layers: one file each."""

from typing import Annotated

from pydantic import Field

from distiller.objectives.intermediate.attention_kl import AttentionKL
from distiller.objectives.intermediate.attention_mse import AttentionMSE
from distiller.objectives.intermediate.ce import HiddenCE
from distiller.objectives.intermediate.cka import CKA
from distiller.objectives.intermediate.cos import Cos
from distiller.objectives.intermediate.gram import Gram
from distiller.objectives.intermediate.infonce import InfoNCE
from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, LearnedHiddenLoss
from distiller.objectives.intermediate.mi import MI
from distiller.objectives.intermediate.minilm import MiniLM
from distiller.objectives.intermediate.mse import HiddenMSE
from distiller.objectives.intermediate.nst import NST
from distiller.objectives.intermediate.nwj import NWJ
from distiller.objectives.intermediate.pkd import PKD
from distiller.objectives.intermediate.rkd import RKD
from distiller.objectives.intermediate.simple_contrastive import SimpleContrastive
from distiller.objectives.intermediate.tuba import TUBA
from distiller.objectives.intermediate.vid import VID

Intermediate = Annotated[
    HiddenMSE
    | Cos
    | PKD
    | HiddenCE
    | MI
    | InfoNCE
    | NWJ
    | TUBA
    | AttentionMSE
    | AttentionKL
    | MiniLM
    | CKA
    | RKD
    | Gram
    | NST
    | VID
    | SimpleContrastive,
    Field(discriminator="type"),
]

__all__ = ["HiddenLoss", "HiddenLossConfig", "Intermediate", "LearnedHiddenLoss"]
