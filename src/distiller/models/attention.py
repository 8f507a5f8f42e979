"""The queries, keys and values of a model's self-attention, and the maps that come of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from distiller.errors import UserError

NAMES = (
    ("query", "key", "value"),
    ("q_lin", "k_lin", "v_lin"),
    ("q", "k", "v"),
    ("q_proj", "k_proj", "v_proj"),
    ("query_proj", "key_proj", "value_proj"),
)
"""What transformers calls the three projections, by architecture."""

JOINED = "Wqkv"
"""What it calls the three in one."""


@contextmanager
def attention_maps(*models: PreTrainedModel) -> Iterator[None]:
    """Within the block, models can give their attention maps, and these are probabilities.

    Their faster implementations do not keep maps. In training, transformers gives what dropout left of the maps, with
    zeros among them: within the block, attention has no dropout. All other dropout is as it was.
    """
    before = [model.config._attn_implementation for model in models]
    dropouts = [(holder, name, getattr(holder, name)) for model in models for holder, name in _dropouts(model)]
    try:
        for model in models:
            model.set_attn_implementation("eager")
        for holder, name, _ in dropouts:
            setattr(holder, name, 0.0)
        yield
    finally:
        for model, implementation in zip(models, before, strict=True):
            model.set_attn_implementation(implementation)
        for holder, name, probability in dropouts:
            setattr(holder, name, probability)


@contextmanager
def attention_vectors(model: PreTrainedModel) -> Iterator[list[Tensor]]:
    """A list that holds, after a forward pass within the block, one [batch, 3, length, width] per layer.

    Queries, keys and values, all heads side by side.

    Raises:
        UserError: If the three projections of the layers cannot be found.
    """
    gathered: list[list[Tensor]] = []
    vectors: list[Tensor] = []

    def keep(layer: int, kind: int) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            gathered[layer][kind] = output

        return hook

    hooks = []
    for layer, projections in enumerate(_projections(model)):
        gathered.append([torch.empty(0)] * 3)
        hooks += [part.register_forward_hook(keep(layer, kind)) for kind, part in enumerate(projections)]
    try:
        yield vectors
        vectors.extend(torch.stack(layer, dim=1) for layer in gathered)
    finally:
        for hook in hooks:
            hook.remove()


def _dropouts(model: PreTrainedModel) -> list[tuple[nn.Module, str]]:
    """What holds the probability of the dropout of attention maps, and under which name."""
    projections = {JOINED, *(names[0] for names in NAMES)}
    holders: list[tuple[nn.Module, str]] = []
    for part in model.modules():
        if not any(isinstance(getattr(part, name, None), nn.Linear) for name in projections):
            continue
        for name in ("dropout", "attention_dropout"):
            dropout = getattr(part, name, None)
            if isinstance(dropout, nn.Dropout):
                holders.append((dropout, "p"))
            elif isinstance(dropout, float):
                holders.append((part, name))
    return holders


def _projections(model: PreTrainedModel) -> list[list[nn.Module]]:
    """The three projections of each layer, in order."""
    for names in NAMES:
        layers = [part for part in model.modules() if all(isinstance(getattr(part, n, None), nn.Linear) for n in names)]
        if len(layers) == model.config.num_hidden_layers:
            return [[getattr(layer, name) for name in names] for layer in layers]
    mend = f"no separate query, key and value projections in the layers of a {model.config.model_type} model"
    raise UserError("objective.intermediate", f"{mend}; use an objective on hidden states")
