"""Texts between texts: embeddings mixed, as MixKD has it (Liang et al. 2021)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from transformers import PreTrainedModel

from distiller.schema import Config


class MixupConfig(Config):
    """Each text of a batch is mixed with another of it: the share of the first is drawn from Beta(beta, beta).

    The teacher reads the mixed embeddings of its own (`live`), or what it said of both texts is mixed (`interpolate`).
    """

    beta: Annotated[float, Field(gt=0)] = 0.4
    teacher: Literal["live", "interpolate"] = "live"


@dataclass(frozen=True)
class Mixup:
    """How batches are mixed.

    Attributes:
        config: What was asked for.
        seed: Of all chance.
    """

    config: MixupConfig
    seed: int

    def of(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Of a batch of texts: `partners` [batch], with which each is mixed, and `share` [], that of the first.

        A function of the rows alone, so that a run that goes on mixes as it would have. A text alone is not mixed.
        """
        if len(rows) < 2:
            return {}
        content = np.asarray([self.seed, *rows], dtype=np.int64).tobytes()
        generator = np.random.default_rng(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little"))
        share = generator.beta(self.config.beta, self.config.beta)
        return {
            "partners": torch.from_numpy(generator.permutation(len(rows))),
            "share": torch.tensor(share, dtype=torch.float32),
        }


def mixed_inputs(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], partners: Tensor, share: Tensor
) -> dict[str, Tensor]:
    """A batch as the model takes it, with embeddings of words mixed in the place of their numbers.

    Where one text is longer than the other, the rest of it is mixed with nothing: zero. Positions and types of tokens
    are those of the first text, or of the second where the first has ended.

    Args:
        model: Whose embeddings these are.
        inputs: The batch, each [batch, length], padded on one side.
        partners: [batch], with which text of the batch each is mixed.
        share: [], of the first.
    """
    mask = inputs["attention_mask"] if "attention_mask" in inputs else torch.ones_like(inputs["input_ids"])
    embeddings = model.get_input_embeddings()(inputs["input_ids"])
    present = embeddings * mask.unsqueeze(-1).to(embeddings.dtype)
    others = {name: values[partners] for name, values in inputs.items() if name != "input_ids"}
    kept = {name: torch.where(mask > 0, inputs[name], values) for name, values in others.items()}
    return {**kept, "inputs_embeds": mixed(present, partners, share)}


def mixed(values: Tensor, partners: Tensor, share: Tensor) -> Tensor:
    """[batch, …]: of each text its share, and the rest of its partner."""
    share = share.to(values.dtype)
    return share * values + (1 - share) * values[partners]
