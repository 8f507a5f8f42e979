"""Which way to quantise? 8 bits or 7, a scale for each matrix or for each of its outputs, dynamic or static.

Of each student that is named (folders of runs) all matrices and tables are quantised. Dynamic: activations are rounded
as they come. Static: with scales that 100 training texts gave beforehand, by the least and largest value, by percentile
or by entropy, in either of ONNX Runtime's formats. `fused`: 7 bits, dynamic, with the fusion of ONNX Runtime that
`distiller export` turns off. Differences are those of the logits from the original's.

    OMP_NUM_THREADS=1 python benchmarks/quantisation.py runs/demo/distilled
"""

import argparse
import contextlib
import dataclasses
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import onnxruntime
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from distiller import Pipeline
from distiller.export.graph import OPSET, inputs_of, quiet, write_graph
from distiller.export.int8 import quantisable
from distiller.export.parity import compare
from distiller.export.session import OnnxModel
from distiller.training import Encoded, Examinee, compare_latency, examinee

CALIBRATION, MOST = 100, 400
KINDS = ["MatMul", "Gather"]


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    print("| run | quantised | metric, test | mean difference | same label, % | ms, median | texts a second |")
    print("|---|---|---|---|---|---|---|")
    for run in parser.parse_args().runs:
        with tempfile.TemporaryDirectory() as folder:
            measure(run, Path(folder))


def measure(run: Path, folder: Path) -> None:
    """The rows of one student."""
    found, dataset = examinee(Pipeline.from_yaml(run / "pipeline.yaml"), str(run / "student"))
    read = found.read(dataset.test.at([*range(min(MOST, len(dataset.test)))]))
    original, metric = found.answers(read), found.task.primary_metric(None, dataset.metric)
    calibration = found.read(dataset.train.at([*range(min(CALIBRATION, len(dataset.train)))]))
    files = written(found, calibration, folder)
    forms = {name: OnnxModel(file, found.model.config) for name, file in files.items()}
    forms["fused"] = fused(files["dynamic, 7 bits, an output"], found.model.config)
    latency = compare_latency({name: (form, read.tokens) for name, form in forms.items()})
    for name, form in forms.items():
        said = dataclasses.replace(found, model=form).answers(read)
        parity = compare(original, said, found.task)
        same = "" if parity.agreement is None else f"{100 * parity.agreement:.1f}"
        times = f"{latency[name]['median_ms']:.2f} | {latency[name]['sentences_per_second']:.0f}"
        score = 100 * found.task.scores(said)[metric]
        print(f"| {run} | {name} | {score:.1f} | {parity.mean_difference:.2g} | {same} | {times} |", flush=True)


def written(found: Examinee, calibration: Encoded, folder: Path) -> dict[str, Path]:
    """Files by what they are."""
    files = {"no": folder / "float.onnx"}
    inputs = inputs_of(found.model, [*calibration.tokens.inputs])
    write_graph(found.model, found.task.head_kind, inputs, OPSET, files["no"], found.name)
    nodes = [name for node in quantisable(files["no"]) for name in (node, f"{node}_MatMul")]
    with quiet():
        for bits in (8, 7):
            for scale in ("a matrix", "an output"):
                file = files[f"dynamic, {bits} bits, {scale}"] = folder / f"dynamic-{bits}-{scale}.onnx"
                options = {"per_channel": scale == "an output", "reduce_range": bits == 7}
                quantize_dynamic(files["no"], file, op_types_to_quantize=KINDS, nodes_to_quantize=nodes, **options)
        prepared = folder / "prepared.onnx"
        quant_pre_process(files["no"], prepared, skip_symbolic_shape=True)
        for form in QuantFormat:
            for method in (CalibrationMethod.MinMax, CalibrationMethod.Percentile, CalibrationMethod.Entropy):
                file = files[f"static, {form.name}, {method.name}"] = folder / f"static-{form.name}-{method.name}.onnx"
                with contextlib.redirect_stdout(io.StringIO()):
                    quantize_static(
                        prepared,
                        file,
                        Texts(calibration, inputs),
                        quant_format=form,
                        calibrate_method=method,
                        per_channel=True,
                        activation_type=QuantType.QUInt8,
                        op_types_to_quantize=KINDS,
                        extra_options={"MatMulConstBOnly": True},
                    )
    return files


class Texts:
    """What static quantisation reads to find scales: texts of one length, since it counts values by their places."""

    def __init__(self, read: Encoded, inputs: list[str]) -> None:
        tokens = dataclasses.replace(read.tokens, words=None)
        length = tokens.length_of([*range(CALIBRATION)])
        batches = (tokens.batch([text], length) for text in range(CALIBRATION))
        self._feeds: Iterator[Mapping[str, Any]] = ({name: batch[name].numpy() for name in inputs} for batch in batches)

    def get_next(self) -> Mapping[str, Any] | None:
        """As ONNX Runtime asks for them."""
        return next(self._feeds, None)


def fused(file: Path, config: Any) -> OnnxModel:
    """A model with all that ONNX Runtime does by itself."""
    model = OnnxModel(file, config)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return model


if __name__ == "__main__":
    main()
