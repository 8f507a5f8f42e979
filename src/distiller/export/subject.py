"""What is exported: a model, and what is known of its data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from distiller import models, tasks
from distiller.data import Dataset, Examples
from distiller.errors import UserError
from distiller.models import HeadKind
from distiller.pipeline import Pipeline
from distiller.runs import FILE, RunRecord
from distiller.tasks import TaskName
from distiller.training import PIPELINE, STUDENT, Examinee, Reader, examinee

HEADS: dict[str, HeadKind] = {
    "ForSequenceClassification": "sequence",
    "ForTokenClassification": "token",
    "ForQuestionAnswering": "span",
    "ForQuestionAnsweringSimple": "span",
}
MADE_UP = 64
"""So many texts stand in where there are none."""


@dataclass(frozen=True)
class Subject:
    """A model that is to be exported.

    Attributes:
        examinee: The model, and how it reads.
        pipeline: Whose data it is judged on; None if nobody knows.
        dataset: That data.
        record: Of the run that made the model; None if it was made otherwise.
    """

    examinee: Examinee
    pipeline: Pipeline | None
    dataset: Dataset | None
    record: RunRecord | None

    @property
    def metric(self) -> str | None:
        """What it is judged by; None without data."""
        if self.pipeline is None or self.dataset is None:
            return None
        return self.examinee.task.primary_metric(self.pipeline.metric, self.dataset.metric)

    @property
    def columns(self) -> int:
        """Texts an example; two where nobody knows."""
        return 2 if self.dataset is None else len(self.dataset.columns.text)

    @property
    def examples(self) -> Examples:
        """What is read to verify it: the test split, or words drawn from its vocabulary."""
        return _made_up(self.examinee) if self.dataset is None else self.dataset.test

    @property
    def read_from(self) -> str:
        """What these are."""
        if self.dataset is None:
            return f"{MADE_UP} texts of words drawn from the vocabulary"
        return f"the {len(self.dataset.test)} texts of the test split of {self.dataset.name}"


def pipeline_for(names: Sequence[str], given: Path | None = None, changes: list[str] | None = None) -> Pipeline | None:
    """The pipeline whose data models are judged on: the one that is given, or that of the first run beside a model.

    Args:
        names: Of the models.
        given: A pipeline file.
        changes: To it, as `Pipeline.from_yaml` has them.

    Raises:
        UserError: If it is not valid, or there is none to change.
    """
    if given is not None:
        return Pipeline.from_yaml(given, changes)
    for run in map(_run_beside, names):
        if run is not None:
            return Pipeline.from_yaml(run / PIPELINE, changes)
    if changes:
        raise UserError(f"--set {changes[0]}", f"no run lies beside {names[0]!r}; name the --pipeline to be changed")
    return None


def _run_beside(model: str) -> Path | None:
    """The folder of the run that a model lies in; None if it is in none."""
    folder = Path(model).expanduser().resolve().parent
    return folder if (folder / PIPELINE).is_file() and (folder / FILE).is_file() else None


def subject(model: str, pipeline: Pipeline | None) -> Subject:
    """A model with its head, and its data.

    Args:
        model: asset:NAME, a folder or a hub id.
        pipeline: Whose data is used; None if nobody knows any.

    Raises:
        UserError: If the model or the data is not usable.
    """
    if pipeline is None:
        return Subject(_examinee_alone(model), None, None, None)
    found, dataset = examinee(pipeline, model)
    return Subject(found, pipeline, dataset, _record(model))


def _record(model: str) -> RunRecord | None:
    """Of the run that made a student."""
    run = _run_beside(model)
    if run is None or Path(model).expanduser().resolve().name != STUDENT:
        return None
    record = RunRecord.read(run)
    return record if record.status == "finished" else None


def _examinee_alone(model: str) -> Examinee:
    """A model of which nothing but its folder is known."""
    config = models.load_config(model, model)
    kind = _head_of(config, model)
    config = models.load_config(model, model, kind)
    tokenizer = models.load_tokenizer(model, model)
    task = tasks.build(_task_of(config, kind))
    longest = models.longest_text(config, tokenizer, kind)
    loaded = models.load_classifier(model, {}, model, 0, kind)
    names: Any = config.id2label
    classes = [str(names[number]) for number in range(len(names))]
    return Examinee(
        model,
        loaded,
        task,
        Reader(tokenizer, longest, longest, longest // 3),
        classes if task.label_kind not in ("numbers", "answers") else None,
    )


def _head_of(config: PretrainedConfig, model: str) -> HeadKind:
    saved = (config.architectures or ["no architecture"])[0]
    for ending, kind in HEADS.items():
        if saved.endswith(ending):
            return kind
    raise UserError(model, f"is saved as {saved}, which has no head of a task; fine-tune it first")


def _task_of(config: PretrainedConfig, kind: HeadKind) -> TaskName:
    if kind != "sequence":
        return "token-classification" if kind == "token" else "question-answering"
    if config.problem_type == "multi_label_classification":
        return "multi-label-classification"
    return "regression" if config.num_labels == 1 else "classification"


def _made_up(examinee: Examinee) -> Examples:
    """Texts of 1 to 40 words, two columns where answers are looked for; the same for the same tokenizer."""
    random = np.random.default_rng(0)
    columns = 2 if examinee.task.label_kind == "answers" else 1
    words = _words(examinee.reader.tokenizer)
    lengths = random.integers(1, 41, (MADE_UP, columns))
    texts = [tuple(" ".join(random.choice(words, length)) for length in of_text) for of_text in lengths]
    return Examples(texts, None)


def _words(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Tokens that are words."""
    found = (tokenizer.convert_tokens_to_string([token]).strip() for token in sorted(tokenizer.get_vocab()))
    return [word for word in found if word.isalpha()] or ["a"]
