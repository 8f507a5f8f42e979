"""How fast models are, side by side, on the texts that they are for."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from distiller import data, models, tasks
from distiller.data import Examples
from distiller.errors import UserError
from distiller.export.runtime import CONFIG, GIVES, TOKENIZER
from distiller.export.session import OnnxModel
from distiller.export.subject import pipeline_for
from distiller.pipeline import Pipeline
from distiller.tasks import Task, Tokens
from distiller.training import TIMED_SENTENCES, Reader, compare_latency, encode, read_by

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Benched:
    """How fast a model is.

    Attributes:
        name: What the user calls it; of an exported folder also the file.
        size_mb: Of its weights, or of the file.
        tokenizer_ms: For one text, median.
        latency: As run records have it.
    """

    name: str
    size_mb: float
    tokenizer_ms: float
    latency: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Contestant:
    model: torch.nn.Module
    size: int
    tokens: Tokens
    tokenizer_ms: float


def bench(names: Sequence[str], pipeline: Pipeline | None = None, threads: int | None = None) -> list[Benched]:
    """Time models on the first texts of the test split, as run records have it, in turns.

    Args:
        names: asset:NAME, a folder or a hub id each, with a head; or an exported folder, which is as many models as
            it has files. The first is what others are compared with.
        pipeline: Whose data is used; None for that of the run beside the first of the models that has one.
        threads: Of each model; None for as many as torch uses.

    Raises:
        UserError: If a model or the data is not usable.
    """
    pipeline = pipeline or pipeline_for(names)
    if pipeline is None:
        raise UserError(names[0], "no run lies beside it that says on which texts; name a pipeline with --pipeline")
    task = tasks.build(pipeline.task)
    with _threads(threads):
        test = data.load(pipeline.data.replace(unlabelled=None), task.label_kind, pipeline.seed).test
        texts = test.at([*range(min(TIMED_SENTENCES, len(test)))])
        contestants: dict[str, _Contestant] = {}
        for name in names:
            contestants |= _contestants(name, pipeline, task, texts)
        latency = compare_latency({name: (one.model, one.tokens) for name, one in contestants.items()})
    return [
        Benched(name, round(one.size / 1e6, 2), one.tokenizer_ms, latency[name]) for name, one in contestants.items()
    ]


def _contestants(name: str, pipeline: Pipeline, task: Task, texts: Examples) -> dict[str, _Contestant]:
    folder = Path(name).expanduser()
    files = sorted(folder.glob("*.onnx"), key=lambda file: file.stem) if folder.is_dir() else []
    if not files or (folder / WEIGHTS).exists():  # some models of the hub have an ONNX file beside their weights
        return {name: _transformers_model(name, pipeline, task, texts)}
    tokenizer, reader = _exported(folder, name, pipeline, task)
    tokens, milliseconds = _read(texts, task, reader, tokenizer.encode)
    return {
        str(Path(name) / file.name): _Contestant(OnnxModel(file), file.stat().st_size, tokens, milliseconds)
        for file in files
    }


def _transformers_model(name: str, pipeline: Pipeline, task: Task, texts: Examples) -> _Contestant:
    _, reader = read_by(name, name, pipeline, task)
    model = models.load_classifier(name, {}, name, pipeline.seed, task.head_kind)
    tokenizer: Any = reader.tokenizer
    tokens, milliseconds = _read(
        texts, task, reader, lambda *text: tokenizer(*text, truncation=True, max_length=reader.max_length)
    )
    return _Contestant(model, sum(weight.nbytes for weight in model.parameters()), tokens, milliseconds)


def _exported(folder: Path, name: str, pipeline: Pipeline, task: Task) -> tuple[Tokenizer, Reader]:
    """How an exported folder reads texts: as predict.py does, and as batches are made of.

    Raises:
        UserError: If it is none, or is for another task.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        made_for, longest = config["task"], config["max_length"]
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # tokenizers raises nothing more exact
        raise UserError(name, f"holds ONNX files, and is no folder of distiller export ({error})") from error
    if made_for != task.name:
        raise UserError(name, f"is for {made_for}, and the pipeline for {task.name}; name the pipeline of its data")
    length = min(longest, pipeline.data.max_length)
    tokenizer.enable_truncation(length)
    padding = tokenizer.padding or {}
    reads = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=padding.get("pad_token"), model_input_names=[*GIVES]
    )
    return tokenizer, Reader(reads, length, longest, pipeline.data.overlap)


def _read(texts: Examples, task: Task, reader: Reader, tokenize: Callable[..., object]) -> tuple[Tokens, float]:
    """Texts as a model reads them, and the milliseconds that one takes, median."""
    read = encode([texts.without_labels()], None, task, reader)
    seconds = []
    for text in (texts.texts if read.passages is None else read.passages.texts)[:TIMED_SENTENCES]:
        began = time.perf_counter()
        tokenize(*text)
        seconds.append(time.perf_counter() - began)
    return read.tokens, round(1000 * float(np.median(seconds)), 3)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
