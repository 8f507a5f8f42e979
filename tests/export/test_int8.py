"""Which matrices stay in float, on a graph that is made by hand."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from distiller.export.int8 import quantisable, quantise, share_lost, write_int8
from distiller.export.session import OnnxModel

WIDTH, ROWS = 16, 8
WORST = ("layer.4/MatMul", "layer.1/MatMul", "layer.3/MatMul")
OTHERS = ("layer.0/MatMul", "layer.2/MatMul")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x (W0 + … + W4), of which the weights of `WORST` have outliers: of each the next has ten times smaller ones."""
    random = np.random.default_rng(0)
    nodes, weights, sums = [], [], "x0"
    for number in range(5):
        weight = random.normal(size=(WIDTH, WIDTH)).astype(np.float32)
        name = f"layer.{number}/MatMul"
        if name in WORST:
            weight[0] *= 1000.0 / 10 ** WORST.index(name)  # in every column, so that the others are rounded away
        weights.append(numpy_helper.from_array(weight, f"w{number}"))
        nodes.append(helper.make_node("MatMul", ["x", f"w{number}"], [f"x{number}"], name))
        if number > 0:
            nodes.append(helper.make_node("Add", [sums, f"x{number}"], [f"s{number}"], f"add{number}"))
            sums = f"s{number}"
    shape = [None, WIDTH]
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(sums, TensorProto.FLOAT, shape)],
        weights,
    )
    file = tmp_path_factory.mktemp("int8") / "float.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), file)
    return file


@pytest.fixture(scope="module")
def inputs() -> NDArray[np.float32]:
    inputs = np.random.default_rng(1).normal(size=(ROWS, WIDTH)).astype(np.float32)
    inputs[:, 0] = 0.0  # what the outliers are multiplied with
    return inputs


def _said(file: Path, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return OnnxModel(file)._session.run(None, {"x": inputs})[0]  # type: ignore[no-any-return]


def _in_float(file: Path) -> set[str]:
    return {node.name for node in onnx.load(file).graph.node if node.op_type == "MatMul"}


@pytest.mark.parametrize("enough", [0, 1, 2, 3])
def test_the_most_sensitive_stay_in_float_one_then_two_then_four(
    graph: Path, inputs: NDArray[np.float32], tmp_path: Path, enough: int
) -> None:
    """`loss` asks that so many of the worst are in float: 0, 1, 2, and 4 where it asks for 3."""
    exact = _said(graph, inputs)

    def error(file: Path) -> float:
        return float(np.abs(_said(file, inputs) - exact).mean())

    def loss(file: Path) -> float:
        return 0.0 if set(WORST[:enough]) <= _in_float(file) else 0.5

    found = quantise(graph, tmp_path / "int8.onnx", loss, error, 0.01)
    assert found.loss == 0.0
    assert found.loss_of_all == (0.5 if enough else 0.0)
    assert len(found.left_in_float) == {0: 0, 1: 1, 2: 2, 3: 4}[enough]
    assert tuple(found.left_in_float[:enough]) == WORST[:enough]
    assert _in_float(tmp_path / "int8.onnx") == set(found.left_in_float)
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]


def test_nothing_is_written_if_too_much_is_lost_all_the_same(graph: Path, tmp_path: Path) -> None:
    found = quantise(graph, tmp_path / "int8.onnx", lambda _: 0.5, lambda _: 1.0, 0.01)
    assert (found.loss, found.loss_of_all) == (0.0, 0.5)
    assert len(found.left_in_float) == 5
    assert not [*tmp_path.iterdir()]


def test_products_are_those_of_integers(graph: Path, inputs: NDArray[np.float32], tmp_path: Path) -> None:
    """One matrix, by hand: columns in 64 steps either way, and the input in 255 from its least to its largest."""
    write_int8(graph, tmp_path / "int8.onnx", ["layer.0/MatMul"])
    weights = {entry.name: numpy_helper.to_array(entry) for entry in onnx.load(graph).graph.initializer}
    step = np.abs(weights["w0"]).max(axis=0) / 64
    weight = np.clip(np.rint(weights["w0"] / step), -64, 64) * step
    low, high = min(inputs.min(), 0.0), max(inputs.max(), 0.0)
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    rounded = (np.clip(np.rint(inputs / scale) + zero, 0, 255) - zero) * scale
    expected = rounded @ weight + sum(inputs @ weights[f"w{number}"] for number in range(1, 5))
    np.testing.assert_allclose(_said(tmp_path / "int8.onnx", inputs), expected, rtol=0, atol=1e-3)
    assert np.abs(expected - _said(graph, inputs)).max() > 0.05


def test_every_matrix_can_be_quantised(graph: Path) -> None:
    assert set(quantisable(graph)) == {*WORST, *OTHERS}


@given(st.floats(0.01, 1.0), st.floats(-1.0, 1.0))
def test_loss_is_a_share_of_the_metric(before: float, after: float) -> None:
    assert share_lost(before, after) == pytest.approx(1 - after / before)
    assert share_lost(-before, -before - 0.25) == pytest.approx(0.25)
