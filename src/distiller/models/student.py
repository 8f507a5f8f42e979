"""A student out of a teacher: the same architecture with fewer layers, and the weights of the layers that it keeps."""

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import ModuleList
from transformers import PretrainedConfig, PreTrainedModel

from distiller.errors import UserError
from distiller.models.config import StudentConfig
from distiller.models.description import describe
from distiller.models.heads import AUTO, HeadKind
from distiller.models.loading import load_classifier, load_config, quiet, seeded

PLACE = "student.layers"


def check_layers(layers: list[int], teacher: PretrainedConfig, kind: HeadKind = "sequence") -> None:
    """Refuse layers that cannot be cut out of the teacher, from its config alone.

    Raises:
        UserError: If a layer does not exist, or the architecture has no list of layers, shares their weights, or has
            layers of different parts.
    """
    depth = int(teacher.num_hidden_layers)
    absent = [layer for layer in layers if layer >= depth]
    if absent:
        raise UserError(PLACE, f"the teacher has no layer {absent[0]}; its {depth} layers are 0 to {depth - 1}")
    with torch.device("meta"):
        whole, small = _shell(teacher, kind), _shell(shortened(teacher, layers), kind)
    kept, needed = set(_kept_weights(whole, layers)), set(small.state_dict())
    if kept != needed:
        odd = min(kept ^ needed)
        raise UserError(PLACE, f"{teacher.model_type} cannot be cut to the layers {layers}: they differ in {odd}")


def build_student(
    config: StudentConfig,
    teacher: PreTrainedModel,
    teacher_source: str,
    head: dict[str, Any],
    seed: int,
    kind: HeadKind = "sequence",
) -> PreTrainedModel:
    """The student before any training, in float32.

    Args:
        config: The `student` part of the pipeline.
        teacher: The fine-tuned teacher, for `init: teacher`.
        teacher_source: The teacher's checkpoint before fine-tuning, for `init: pretrained`.
        head: The task's head, as `tasks` gives it.
        seed: Seed of the weights that have to be drawn.
        kind: Of the head.

    Raises:
        UserError: If the layers do not exist or cannot be cut out of this architecture.
    """
    if config.model is not None and config.init == "random":
        return random_classifier(load_config(config.model, "student.model", kind), head, seed, kind)
    if config.model is not None:
        return load_classifier(config.model, head, "student.model", seed, kind)
    layers = config.layers or []
    check_layers(layers, teacher.config, kind)
    if config.init == "teacher":
        return cut(teacher, layers, seed, kind)
    if config.init == "random":
        return random_classifier(shortened(teacher.config, layers), head, seed, kind)
    return cut(load_classifier(teacher_source, head, "teacher.model", seed, kind), layers, seed, kind)


def outline(config: StudentConfig, teacher: PretrainedConfig, kind: HeadKind = "sequence") -> dict[str, Any]:
    """What `describe` will say of the student, of which nothing is loaded.

    Raises:
        UserError: If the layers do not exist or cannot be cut out of this architecture.
    """
    if config.model is not None:
        return described(load_config(config.model, "student.model", kind), kind)
    check_layers(config.layers or [], teacher, kind)
    return described(shortened(teacher, config.layers or []), kind)


def described(config: PretrainedConfig, kind: HeadKind = "sequence") -> dict[str, Any]:
    """What `describe` says of a model of that config, of which nothing is loaded."""
    with torch.device("meta"):
        return describe(_shell(config, kind))


def random_classifier(
    config: PretrainedConfig, head: dict[str, Any], seed: int, kind: HeadKind = "sequence"
) -> PreTrainedModel:
    """A model of that shape with every weight drawn from `seed`."""
    config = copy.deepcopy(config)
    for name, content in head.items():
        setattr(config, name, content)
    return _fresh(config, seed, kind)


def cut(model: PreTrainedModel, layers: list[int], seed: int, kind: HeadKind = "sequence") -> PreTrainedModel:
    """A model of the same architecture that has only those layers, with their weights and all that is outside layers.

    Raises:
        UserError: As `check_layers`.
    """
    check_layers(layers, model.config, kind)
    small = _fresh(shortened(model.config, layers), seed, kind)
    small.load_state_dict(_kept_weights(model, layers), strict=True)
    return small


def shortened(config: PretrainedConfig, layers: list[int]) -> PretrainedConfig:
    """The config with those layers only; fields that hold one entry per layer keep theirs."""
    depth = int(config.num_hidden_layers)
    fields: dict[str, Any] = config.to_dict()
    small = copy.deepcopy(config)
    for name, content in fields.items():
        if isinstance(content, list) and len(content) == depth and "layer" in name:
            setattr(small, name, [content[layer] for layer in layers])
    small.num_hidden_layers = len(layers)
    return small


def _fresh(config: PretrainedConfig, seed: int, kind: HeadKind) -> PreTrainedModel:
    with seeded(seed):
        return _shell(config, kind)


def _shell(config: PretrainedConfig, kind: HeadKind) -> PreTrainedModel:
    with quiet():
        model: PreTrainedModel = AUTO[kind].from_config(config, dtype=torch.float32)
    model.eval()
    return model


def _kept_weights(model: PreTrainedModel, layers: list[int]) -> dict[str, Tensor]:
    """All weights outside layers, and those of the kept layers under their numbers in a model of these alone."""
    stack = f"{_layer_stack(model)}."
    position = {layer: index for index, layer in enumerate(layers)}
    kept: dict[str, Tensor] = {}
    for name, weight in model.state_dict().items():
        if not name.startswith(stack):
            kept[name] = weight
            continue
        layer, part = name.removeprefix(stack).split(".", 1)
        if int(layer) in position:
            kept[f"{stack}{position[int(layer)]}.{part}"] = weight
    return kept


def _layer_stack(model: PreTrainedModel) -> str:
    """The name of the list that holds the model's layers."""
    depth = int(model.config.num_hidden_layers)
    stacks = [name for name, part in model.named_modules() if isinstance(part, ModuleList) and len(part) == depth]
    if not stacks:
        kind = model.config.model_type
        raise UserError(PLACE, f"{kind} keeps no list of {depth} layers to cut (it may share one); give student.model")
    return str(min(stacks, key=lambda name: name.count(".")))
