"""Students cut out of teachers, over the encoder families that people fine-tune; each tiny, with random weights."""

import copy
from typing import Any

import pytest
import torch
from torch.nn import ModuleList
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from architectures import ARCHITECTURES, INPUTS, SMALL, drawn
from distiller import models
from distiller.errors import UserError
from distiller.models import StudentConfig
from distiller.schema import validated


def _without_layers(model: PreTrainedModel, kept: list[int]) -> PreTrainedModel:
    """The same model with layers taken out of its list in place: what a cut has to compute."""
    pruned = copy.deepcopy(model)
    for part in list(pruned.modules()):
        for name, child in part.named_children():
            if isinstance(child, ModuleList) and len(child) == model.config.num_hidden_layers:
                setattr(part, name, ModuleList(child[layer] for layer in kept))
    pruned.config.num_hidden_layers = len(kept)
    return pruned


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_a_student_that_keeps_all_layers_gives_the_logits_of_the_teacher(architecture: str) -> None:
    teacher = drawn(architecture)
    student = models.cut(teacher, [0, 1, 2, 3], seed=1)
    assert torch.equal(student(**INPUTS).logits, teacher(**INPUTS).logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_a_student_computes_what_the_teacher_does_without_the_other_layers(architecture: str) -> None:
    teacher = drawn(architecture)
    student = models.cut(teacher, [0, 3], seed=1)
    expected = _without_layers(teacher, [0, 3])
    assert student.config.num_hidden_layers == 2
    assert torch.equal(student(**INPUTS).logits, expected(**INPUTS).logits)
    assert not torch.equal(student(**INPUTS).logits, teacher(**INPUTS).logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_a_saved_student_loads_with_transformers_alone(architecture: str, tmp_path: Any) -> None:
    student = models.cut(drawn(architecture), [0, 2], seed=1)
    student.save_pretrained(tmp_path)
    loaded, report = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert torch.equal(loaded(**INPUTS).logits, student(**INPUTS).logits)


def test_cutting_leaves_the_teacher_and_the_global_random_state_alone() -> None:
    teacher = drawn("bert")
    before, state = models.fingerprint(teacher), torch.random.get_rng_state()
    models.cut(teacher, [1], seed=1)
    assert models.fingerprint(teacher) == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_layers_that_share_weights_are_refused() -> None:
    with pytest.raises(UserError, match=r"student\.layers: albert keeps no list of 4 layers"):
        models.check_layers([0, 1], AlbertConfig(embedding_size=8, **SMALL))


def test_layers_of_different_parts_are_refused() -> None:
    # The first layer of ModernBERT has no normalisation before attention, so no other layer can take its place.
    with pytest.raises(UserError, match=r"modernbert cannot be cut to the layers \[1, 2\]: they differ in .*attn_norm"):
        models.check_layers([1, 2], ARCHITECTURES["modernbert"])


def test_a_layer_that_does_not_exist_is_named() -> None:
    with pytest.raises(UserError, match=r"student\.layers: the teacher has no layer 9; its 4 layers are 0 to 3"):
        models.check_layers([0, 9], ARCHITECTURES["bert"])


def _build(config: StudentConfig, teacher: PreTrainedModel, source: str, seed: int = 0) -> PreTrainedModel:
    return models.build_student(config, teacher, source, {"num_labels": 3}, seed)


def test_init_decides_where_weights_come_from(tmp_path: Any) -> None:
    """`teacher` copies the fine-tuned teacher, `pretrained` its checkpoint of before, `random` nothing."""
    pretrained = drawn("bert")
    pretrained.save_pretrained(tmp_path)
    teacher = copy.deepcopy(pretrained)
    for parameter in teacher.parameters():
        parameter.data.add_(1.0)
    students = {
        init: _build(StudentConfig(layers=[0, 2], init=init), teacher, str(tmp_path)).state_dict()
        for init in ("teacher", "pretrained", "random")
    }
    name, source = "bert.encoder.layer.1.output.dense.weight", "bert.encoder.layer.2.output.dense.weight"
    assert torch.equal(students["teacher"][name], teacher.state_dict()[source])
    assert torch.equal(students["pretrained"][name], pretrained.state_dict()[source])
    assert not torch.equal(students["random"][name], pretrained.state_dict()[source])


def test_random_weights_follow_the_seed(tmp_path: Any) -> None:
    teacher = drawn("bert")
    first, again, other = (
        models.fingerprint(_build(StudentConfig(layers=[0], init="random"), teacher, str(tmp_path), seed))
        for seed in (3, 3, 4)
    )
    assert first == again != other


def test_a_student_of_its_own_is_loaded_from_its_folder(tmp_path: Any) -> None:
    own = drawn("distilbert")
    own.save_pretrained(tmp_path)
    student = _build(StudentConfig(model=str(tmp_path)), drawn("bert"), "unused")
    assert models.fingerprint(student) == models.fingerprint(own)
    blank = _build(StudentConfig(model=str(tmp_path), init="random"), drawn("bert"), "unused")
    assert models.fingerprint(blank) != models.fingerprint(own)
    assert blank.config.model_type == "distilbert"


@pytest.mark.parametrize(
    ("content", "mend"),
    [
        ({}, "give either 'layers'"),
        ({"layers": [0], "model": "x"}, "give either 'layers'"),
        ({"layers": [2, 1]}, "layers must rise"),
        ({"layers": [1, 1]}, "layers must rise"),
        ({"layers": []}, "student.*give at least 1"),
        ({"model": "x", "init": "teacher"}, "needs 'layers'"),
        ({"layers": [0], "init": "techer"}, "did you mean 'teacher'"),
    ],
)
def test_a_student_that_makes_no_sense_is_refused(content: dict[str, Any], mend: str) -> None:
    with pytest.raises(UserError, match=mend):
        validated(StudentConfig, content, "student")
