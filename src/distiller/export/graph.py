"""From a transformers model to an ONNX file."""

import ast
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from distiller.errors import UserError
from distiller.export.session import imported
from distiller.models import HeadKind

OUTPUTS: dict[HeadKind, list[str]] = {
    "sequence": ["logits"],
    "token": ["logits"],
    "span": ["start_logits", "end_logits"],
}
OPSET = 20
"""The first whose GELU is one operator."""
LARGEST = 2**31
"""In bytes: a file of protocol buffers holds no more."""
MODULES = "pkg.torch.onnx.name_scopes"
"""Where torch's exporter notes of which module a node is, outermost first."""


def inputs_of(model: PreTrainedModel, given: list[str]) -> list[str]:
    """Those of what a tokenizer gives that the model reads; some swallow the others."""
    return [name for name in given if name in signature(model.forward).parameters]


def write_graph(model: PreTrainedModel, kind: HeadKind, inputs: list[str], opset: int, file: Path, place: str) -> None:
    """Write a model whose batch and length are free; weights are in the file, and nodes have the names of modules.

    Args:
        model: Any encoder with a head of that kind, in evaluation mode.
        kind: Of its head.
        inputs: The names of what it reads, each [batch, length].
        opset: The version of ONNX's operators.
        file: To write.
        place: What the user calls the model, for errors.

    Raises:
        UserError: At `place`, if it is too large, or has an operator that ONNX lacks.
    """
    onnx = imported("onnx")
    imported("onnxscript")
    size = sum(weight.nbytes for weight in model.state_dict().values())
    if size >= LARGEST:
        raise UserError(
            place, f"its weights take {size / 1e9:.1f} GB, and an ONNX file holds 2; export a smaller model"
        )
    with quiet(), _eager_attention(model):  # has fewer operators
        try:
            program = torch.onnx.export(
                model,
                kwargs=_example(inputs),
                input_names=inputs,
                output_names=OUTPUTS[kind],
                dynamic_shapes={name: {0: "batch", 1: "length"} for name in inputs},
                opset_version=opset,
                verbose=False,
            )
            graph: Any = program.model_proto if program is not None else None
        except Exception as error:
            raise UserError(place, f"cannot be written as ONNX with opset {opset}: {_reason(error)}") from error
    written = {entry.domain: entry.version for entry in graph.opset_import}
    if written.get("") != opset:
        raise UserError("--opset", f"{opset} is none that torch writes; leave it out, or name one of 18 to 23")
    _name_nodes(graph)
    onnx.save_model(graph, file)


def _example(inputs: list[str]) -> dict[str, torch.Tensor]:
    """Two texts of different lengths."""
    filled = {name: torch.ones(2, 8, dtype=torch.long) for name in inputs}
    filled["input_ids"] = torch.arange(16).view(2, 8)
    filled["attention_mask"][1, 5:] = 0
    if "token_type_ids" in filled:
        filled["token_type_ids"][:, :4] = 0
    return filled


def _reason(error: BaseException) -> str:
    """What the innermost of torch's errors says, without its advice of many lines."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"


def _name_nodes(graph: Any) -> None:
    """Call each node as its module, and forget what else torch notes of it, such as where our files lie."""
    taken: Counter[str] = Counter()
    for node in graph.graph.node:
        noted = {entry.key: entry.value for entry in node.metadata_props}
        modules = [name for name in ast.literal_eval(noted.get(MODULES, "[]"))[:-1] if name]
        name = "/".join([*modules[-1:], node.op_type])
        node.name = name if taken[name] == 0 else f"{name}_{taken[name]}"
        taken[name] += 1
        del node.metadata_props[:]
    for value in [*graph.graph.initializer, *graph.graph.value_info, *graph.graph.input, *graph.graph.output]:
        del value.metadata_props[:]


@contextmanager
def _eager_attention(model: PreTrainedModel) -> Iterator[None]:
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep exporter and quantiser from remarks: on packages that they do not need, on versions that they convert."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
