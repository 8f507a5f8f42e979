"""Weights as 8-bit integers: which of them, and which stay as they are so that little is lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from distiller.export.graph import quiet
from distiller.export.session import imported

WEIGHT_AT = {"MatMul": 1, "Gemm": 1, "Gather": 0}
"""Operators that take weights, and as which of their inputs."""

Judge = Callable[[Path], float]
"""How bad an ONNX file is."""


@dataclass(frozen=True)
class Quantised:
    """What became of a model.

    Attributes:
        loss: The share of the metric that it costs.
        loss_of_all: The share if everything that can be is quantised.
        left_in_float: What is not quantised for that reason, the most sensitive first.
    """

    loss: float
    loss_of_all: float
    left_in_float: list[str]


def quantise(source: Path, target: Path, loss: Judge, error: Judge, most: float) -> Quantised:
    """Write a model as integers that costs no more than `most` of the metric.

    If it does, the nodes that are most sensitive stay in float: one, then two, four and so on. How sensitive a node is
    says the error of the logits when it alone is quantised.

    Args:
        source: The model in float.
        target: To write; nothing is written if too much is lost as long as any node is quantised.
        loss: The share of the metric that a file costs.
        error: Of the logits of a file.
        most: The share that may be lost.
    """
    nodes = quantisable(source)
    write_int8(source, target, nodes)
    loss_of_all = loss(target)
    if loss_of_all <= most:
        return Quantised(loss_of_all, loss_of_all, [])
    ranked, count = _most_sensitive_first(source, nodes, error, target.parent), 1
    while count < len(nodes):
        write_int8(source, target, ranked[count:])
        lost = loss(target)
        if lost <= most:
            return Quantised(lost, loss_of_all, ranked[:count])
        count *= 2
    target.unlink()
    return Quantised(0.0, loss_of_all, ranked)


def share_lost(before: float, after: float) -> float:
    """How much of a metric is lost, as a share of it; negative if it has risen.

    Of one that is not positive there is no share: then it is how much.
    """
    return (before - after) / (before if before > 0 else 1.0)


def quantisable(file: Path) -> list[str]:
    """The nodes of a model whose weights can become integers: matrices, and tables of embeddings."""
    onnx = imported("onnx")
    graph = onnx.load_model(file).graph
    weights = {weight.name for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT}
    with_weights = [node for node in graph.node if node.op_type in WEIGHT_AT]
    return [node.name for node in with_weights if node.input[WEIGHT_AT[node.op_type]] in weights]


def write_int8(source: Path, target: Path, nodes: Sequence[str]) -> None:
    """Write a model with these nodes quantised, and the others as they are.

    Weights of matrices have a scale for each output, tables of embeddings one; what a matrix is multiplied with is
    quantised as it comes, with a scale for each call. Weights take 7 of the 8 bits: sums of products of 8 bits would
    not fit where a processor has no instructions for them (VNNI), and a file may go to any machine.

    Args:
        source: The model in float.
        target: To write.
        nodes: At least one.
    """
    quantization = imported("onnxruntime.quantization")
    # A Gemm is a MatMul and an Add by the time that nodes are picked.
    both = [name for node in nodes for name in (node, f"{node}_MatMul")]
    with quiet():
        quantization.quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            reduce_range=True,
            nodes_to_quantize=both,
        )


def _most_sensitive_first(source: Path, nodes: Sequence[str], error: Judge, room: Path) -> list[str]:
    with TemporaryDirectory(dir=room) as folder:
        alone = Path(folder) / "alone.onnx"
        errors = {}
        for node in nodes:
            write_int8(source, alone, [node])
            errors[node] = error(alone)
    return sorted(nodes, key=lambda node: -errors[node])
