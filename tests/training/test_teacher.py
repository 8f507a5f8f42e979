"""A teacher that was released comes back as it was, or not at all."""

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from distiller import UserError, models
from distiller.training.teacher import Teacher


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    model = models.load_classifier(str(tiny_bert), {"num_labels": 3}, "test", seed=0)
    models.save(model, models.load_tokenizer(str(tiny_bert), "test"), tmp_path / "teacher")
    return tmp_path / "teacher"


def _teacher(folder: Path) -> Teacher:
    model = models.load_classifier(str(folder), {}, "test", seed=0)
    return Teacher(model, str(folder), "teacher.models.1", finetune_seconds=0.0)


def test_a_released_teacher_is_loaded_again_when_it_is_asked_for(folder: Path) -> None:
    teacher = _teacher(folder)
    before = teacher.model
    assert teacher.model is before
    teacher.release()
    assert teacher.model is not before
    assert models.fingerprint(teacher.model) == models.fingerprint(before) == teacher.fingerprint


def test_one_that_was_changed_meanwhile_is_refused(folder: Path) -> None:
    teacher = _teacher(folder)
    teacher.release()
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] += 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"teacher\.models\.1: .* changed during this run; start it again"):
        _ = teacher.model
