"""Every family of encoders teaches and is taught, token by token and across families, depths and widths."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoModel

from architectures import FAMILIES
from distiller import UserError, distill, models
from tiny_runs import pipeline_of, weights_of, write_questions, write_reader_of_letters

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A checkpoint of it, with random weights and the tokenizer of MiniLM."""
    folder = tmp_path / request.param
    with models.seeded(0):
        AutoModel.from_config(FAMILIES[request.param]).save_pretrained(folder)
    models.load_tokenizer("asset:minilm-l6", "test").save_pretrained(folder)
    return folder


def _losses(history: list[dict[str, float]], name: str) -> list[float]:
    return [entry[name] for entry in history if name in entry]


def test_it_is_taught_by_a_wider_and_deeper_bert(family: Path, tiny_bert: Path, tmp_path: Path) -> None:
    """By hidden states of which it has fewer, each half as wide."""
    student = {"model": str(family), "layers": None}
    result = distill(pipeline_of(tiny_bert, student=student, training={"epochs": 2}), tmp_path / "out")
    states = _losses(result.record.metrics["history"], "raw.intermediate.mse")
    assert states[-1] < states[0]
    assert not [name for name in weights_of(tmp_path / "out") if "projection" in name and "embed" not in name]


def test_it_teaches_a_bert_that_reads_other_tokens(family: Path, tmp_path: Path) -> None:
    write_reader_of_letters(tmp_path / "letters")
    student = {"model": str(tmp_path / "letters"), "layers": None}
    record = distill(pipeline_of(family, student=student, training={"epochs": 2}), tmp_path / "out").record
    states = _losses(record.metrics["history"], "raw.intermediate.mse")
    assert states[-1] < states[0]
    assert record.teacher["outputs"]["kept"]


@pytest.mark.parametrize("kind", ["attention-mse", "minilm"])
def test_its_attention_is_found_or_the_objective_is_refused(family: Path, tmp_path: Path, kind: str) -> None:
    """ALBERT has one layer for all, ModernBERT one projection for queries, keys and values."""
    objective = {"intermediate": {"type": kind, **({"relation_heads": 2} if kind == "minilm" else {})}}
    student = {"model": str(family), "layers": None}
    pipeline = pipeline_of(family, student=student, objective=objective, training={"epochs": 1})
    if kind == "minilm" and family.name in ("albert", "modernbert"):
        with pytest.raises(UserError, match="no separate query, key and value projections"):
            distill(pipeline, tmp_path / "out")
        return
    record = distill(pipeline, tmp_path / "out").record
    assert np.isfinite(_losses(record.metrics["history"], f"raw.intermediate.{kind}")).all()


def test_it_teaches_and_learns_where_answers_are(family: Path, tiny_bert: Path, tmp_path: Path) -> None:
    """Of a wider and deeper BERT, and of itself to a BERT that reads other tokens."""
    write_questions(tmp_path / "squad.json", articles=20)
    write_reader_of_letters(tmp_path / "letters")
    shared: dict[str, Any] = {
        "task": "question-answering",
        "data": {"source": str(tmp_path / "squad.json"), "limit": None, "max_length": 48},
        "objective": {"intermediate": {"type": "mse"}},
        "training": {"epochs": 2},
    }
    for teacher, student in ((tiny_bert, family), (family, tmp_path / "letters")):
        pipeline = pipeline_of(teacher, student={"model": str(student), "layers": None}, **shared)
        record = distill(pipeline, tmp_path / f"out-{student.name}").record
        losses = _losses(record.metrics["history"], "loss")
        assert losses[-1] < losses[0]
        assert record.teacher["outputs"]["kept"]
