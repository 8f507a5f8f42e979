"""A folder with a model that needs neither torch nor transformers, and with what it was found to be worth."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from distiller.errors import UserError
from distiller.export.card import write_card
from distiller.export.exported import FLOAT, INT8, ORIGINAL, Exported, Form
from distiller.export.graph import OPSET, inputs_of, write_graph
from distiller.export.int8 import Quantised, quantise, share_lost
from distiller.export.parity import compare, refuse_other
from distiller.export.runtime import fast_tokenizer, refuse_other_tokens, write_runtime
from distiller.export.session import OnnxModel, imported
from distiller.export.subject import Subject, pipeline_for, subject
from distiller.files import check_folder, replaced_folder, write_json
from distiller.pipeline import Pipeline
from distiller.tasks import Predictions
from distiller.training import Encoded, Examinee, compare_latency

SUMMARY = "export.json"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
MAX_LOSS = 0.01
SAMPLE = 64
"""The logits of so many texts say how sensitive a node is."""


def export(
    model: str,
    out: Path,
    pipeline: Pipeline | None = None,
    *,
    int8: bool = False,
    opset: int = OPSET,
    max_loss: float = MAX_LOSS,
) -> Exported:
    """Write a model into the folder `out` as ONNX, with all that is needed to use it there.

    It is held against the original on the test split of its data. What int8 leaves in float is decided on the
    validation split.

    Args:
        model: asset:NAME, a folder or a hub id, with its head.
        out: A folder that does not exist or is empty; it appears whole or not at all.
        pipeline: Whose data is used; None for that of the run that made the model. If there is none, texts are made up.
        int8: Whether a model with integers for weights is written besides.
        opset: The version of ONNX's operators.
        max_loss: The share of the metric that int8 may cost on the validation split.

    Raises:
        UserError: If the model, the data or `out` is not usable, a package is not there, an operator has no form in
            ONNX, or what is written is not what the model is.
    """
    check_folder(out)
    if out.exists() and any(out.iterdir()):
        raise UserError(str(out), "is not empty; name another --out")
    check_packages()
    pipeline = pipeline or pipeline_for([model])
    if int8 and pipeline is None:
        mend = f"int8 is judged on real texts, and no run lies beside {model!r}; name a --pipeline, or --quantize none"
        raise UserError("--quantize", mend)
    with replaced_folder(out) as folder, Console(stderr=True).status("reading the model and its data") as status:
        exported = _write(subject(model, pipeline), folder, opset, max_loss, status.update, int8=int8)
        write_json(folder / SUMMARY, exported.describe())
        write_card(folder, exported)
    return exported


def check_packages() -> None:
    """Refuse to begin without what export needs.

    Raises:
        UserError: If a package is not there.
    """
    for package in PACKAGES:
        imported(package)


def _write(
    found: Subject, folder: Path, opset: int, max_loss: float, say: Callable[[str], None], *, int8: bool
) -> Exported:
    examinee = found.examinee
    examples = found.examples
    read = examinee.read(examples)
    texts = examples.texts if read.passages is None else read.passages.texts
    refuse_other_tokens(fast_tokenizer(examinee.reader, examinee.name), texts, read.tokens, examinee.name)
    forms = {ORIGINAL: examinee}
    say(f"writing {FLOAT} and holding it against the original")
    inputs = inputs_of(examinee.model, [*read.tokens.inputs])
    write_graph(examinee.model, examinee.task.head_kind, inputs, opset, folder / FLOAT, examinee.name)
    forms[FLOAT] = _opened(examinee, folder / FLOAT)
    said = {name: form.answers(read) for name, form in forms.items()}
    refuse_other(compare(said[ORIGINAL], said[FLOAT], examinee.task), examinee.name)
    if int8:
        say(f"writing {INT8}, and if it loses too much, finding out where")
    quantised = _quantised(found, forms[FLOAT], folder, max_loss) if int8 else None
    say("measuring")
    if (folder / INT8).exists():
        forms[INT8] = _opened(examinee, folder / INT8)
        said[INT8] = forms[INT8].answers(read)
    write_runtime(folder, examinee, found.columns, INT8 if INT8 in forms else FLOAT)
    return Exported(found, opset, _measured(found, forms, said, read, folder), quantised, max_loss)


def _opened(examinee: Examinee, file: Path) -> Examinee:
    """The same, answered by a file."""
    return replace(examinee, model=cast("Any", OnnxModel(file, examinee.model.config)))


def _quantised(found: Subject, as_float: Examinee, folder: Path, max_loss: float) -> Quantised:
    if found.dataset is None or found.metric is None:
        raise ValueError("int8 needs data")
    task, metric = as_float.task, found.metric
    validation = as_float.read(found.dataset.validation)
    few = as_float.read(found.dataset.validation.at([*range(min(SAMPLE, len(found.dataset.validation)))]))
    before, exact = task.scores(as_float.answers(validation))[metric], as_float.answers(few)

    def loss(file: Path) -> float:
        return share_lost(before, task.scores(_opened(as_float, file).answers(validation))[metric])

    def error(file: Path) -> float:
        return compare(exact, _opened(as_float, file).answers(few), task).mean_difference

    return quantise(folder / FLOAT, folder / INT8, loss, error, max_loss)


def _measured(
    found: Subject, forms: dict[str, Examinee], said: dict[str, Predictions], read: Encoded, folder: Path
) -> dict[str, Form]:
    task, original = found.examinee.task, said[ORIGINAL]
    latency = compare_latency({name: (form.model, read.tokens) for name, form in forms.items()})
    weights = sum(weight.nbytes for weight in found.examinee.model.parameters())
    return {
        name: Form(
            size_mb=round((weights if name == ORIGINAL else (folder / name).stat().st_size) / 1e6, 2),
            scores=None if found.dataset is None else task.scores(said[name]),
            parity=None if name == ORIGINAL else compare(original, said[name], task),
            latency=latency[name],
        )
        for name in forms
    }
