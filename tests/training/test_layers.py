"""Runs in which layers are taught: what is learned beside the student, kept, recorded and measured."""

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from distiller import UserError, data, distill, training
from distiller.objectives import hidden_loss
from tiny_runs import die, pipeline_of, same, weights_of

pytestmark = pytest.mark.usefixtures("own_cache")


LEARNED = {
    "mi and emd": {
        "mapping": {"type": "emd"},
        "objective": {"balance": "ema", "intermediate": {"type": "mi", "alpha": 0.9}},
    },
    "tokens and attention": {
        "mapping": {"type": "attention"},
        "objective": {"hard_label": {"weight": 1.0}, "intermediate": {"type": "infonce", "feature": "tokens"}},
    },
}


@pytest.mark.parametrize("name", LEARNED)
def test_what_an_objective_learns_is_in_checkpoints_so_that_resume_is_exact_and_not_in_the_student(
    tiny_bert: Path, tmp_path: Path, name: str
) -> None:
    """Killed within an epoch, after a checkpoint at each step; the last batch of an epoch is of one text."""
    pipeline = pipeline_of(
        tiny_bert, data={"limit": 57}, training={"epochs": 2, "checkpoint_minutes": 1e-9}, **LEARNED[name]
    )
    assert die(pipeline, tmp_path, "step", 13, signal.SIGKILL) == -signal.SIGKILL
    resumed = distill(pipeline, tmp_path / "out", resume=True).record
    whole = distill(pipeline, tmp_path / "whole").record
    assert same(weights_of(tmp_path / "out"), weights_of(tmp_path / "whole"))
    assert resumed.metrics["mutual_information"] == whole.metrics["mutual_information"]
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "student")
    assert weights_of(tmp_path / "out").keys() == plain.state_dict().keys()


def test_the_record_has_the_mutual_information_of_each_layer_pair_over_training(
    tiny_bert: Path, tmp_path: Path
) -> None:
    objective = {"intermediate": {"type": "infonce", "critic": {"type": "bilinear"}}, "balance": "ema"}
    metrics = distill(pipeline_of(tiny_bert, objective=objective), tmp_path / "out").record.metrics
    steps = [entry for entry in metrics["history"] if "loss" in entry]
    pairs = [name.removeprefix("mutual_information.") for name in steps[0] if name.startswith("mutual_information.")]
    depth = AutoModelForSequenceClassification.from_pretrained(tiny_bert).config.num_hidden_layers
    assert pairs == ["0-0", f"1-{depth // 2}", f"2-{depth}"]
    for entry in steps:
        nats = [entry[f"mutual_information.{pair}"] for pair in pairs]
        assert entry["raw.intermediate.infonce"] == pytest.approx(np.log(8) - np.mean(nats), abs=1e-4)
        assert entry["loss"] == pytest.approx(entry["prediction.kl"] + entry["intermediate.infonce"], rel=1e-3)
    assert [*metrics["mutual_information"]] == pairs
    assert all(nats <= np.log(8) for nats in metrics["mutual_information"].values())
    of_one = [entry[f"mutual_information.{pairs[1]}"] for entry in steps]
    assert np.mean(of_one[-4:]) > np.mean(of_one[:4])


def test_critics_learn_at_their_own_rate(tiny_bert: Path, tmp_path: Path) -> None:
    drawn = hidden_loss("mi")
    width = int(AutoModelForSequenceClassification.from_pretrained(tiny_bert).config.hidden_size)
    drawn.draw(width, width, seed=0)
    expected = {f"objective.between_layers.losses.0.{name}": value for name, value in drawn.state_dict().items()}
    moved = []
    for factor in (1e-12, 1.0, 10.0):
        objective = {"intermediate": {"type": "mi", "learning_rate_factor": factor}}
        out = tmp_path / str(factor)
        distill(pipeline_of(tiny_bert, objective=objective, training={"epochs": 1}), out)
        kept = load_file(out / "checkpoints" / "checkpoint-8" / "model.safetensors")
        moved.append(max(float((kept[name] - value).abs().max()) for name, value in expected.items()))
    assert moved[0] < 1e-6
    assert moved[2] > 3 * moved[1] > 1e-3


def test_the_weights_of_layer_pairs_learn_at_their_own_rate(tiny_bert: Path, tmp_path: Path) -> None:
    """Adam moves a weight by the learning rate in a step at most: eight steps of 1e-3, a hundred times as fast."""
    mapping = {"type": "attention", "learning_rate_factor": 100.0}
    distill(pipeline_of(tiny_bert, mapping=mapping, training={"epochs": 1}), tmp_path / "out")
    kept = load_file(tmp_path / "out" / "checkpoints" / "checkpoint-8" / "model.safetensors")
    assert kept["objective.between_layers.weights.scores"].abs().max() > 10 * 8 * 1e-3


def test_tokenizers_may_differ_for_bounds_on_the_means_of_texts(tiny_bert: Path, tmp_path: Path) -> None:
    """A cased and an uncased reader; that each side's mean is over its own tokens, test_objective.py says."""
    other = tmp_path / "other"
    shutil.copytree(tiny_bert, other)
    AutoTokenizer.from_pretrained(tiny_bert, do_lower_case=False).save_pretrained(other)
    pipeline = pipeline_of(
        tiny_bert,
        student={"layers": None, "model": str(other)},
        objective={"intermediate": {"type": "mi", "feature": "mean"}},
        training={"epochs": 1},
    )
    assert distill(pipeline, tmp_path / "out").record.status == "finished"


@pytest.mark.parametrize(
    "intermediate",
    [
        {"type": "attention-mse"},
        {"type": "attention-kl"},
        {"type": "minilm", "relation_heads": 4},
        {"type": "cka"},
        {"type": "rkd"},
        {"type": "gram"},
        {"type": "nst"},
        {"type": "vid"},
        {"type": "simple-contrastive", "queue": 16},
    ],
    ids=lambda intermediate: intermediate["type"],
)
def test_every_loss_between_layers_trains_a_student_that_keeps_nothing_of_it(
    tiny_bert: Path, tmp_path: Path, intermediate: dict[str, Any]
) -> None:
    objective = {"prediction": None, "intermediate": intermediate}
    result = distill(pipeline_of(tiny_bert, objective=objective, training={"epochs": 2}), tmp_path / "out")
    assert result.record.status == "finished"
    losses = [entry["loss"] for entry in result.record.metrics["history"] if "loss" in entry]
    assert np.isfinite(losses).all()
    _, report = AutoModelForSequenceClassification.from_pretrained(result.student_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]


def test_what_a_student_holds_is_measured_on_validation_with_the_critics_of_its_checkpoint(
    tiny_bert: Path, tmp_path: Path
) -> None:
    """Recomputed from the checkpoint: student, critics and teacher on batches of eight validation texts."""
    pipeline = pipeline_of(
        tiny_bert,
        data={"limit": 60},
        student={"init": "teacher"},
        objective={"prediction": None, "intermediate": {"type": "infonce", "feature": "mean"}},
        mapping={"type": "explicit", "pairs": [[2, 2]]},
        store={"dtype": "float32"},
        training={"epochs": 1},
    )
    folder = training.finetune(pipeline, tmp_path / "teacher")
    record = distill(pipeline, tmp_path / "out").record
    dataset = data.load(pipeline.data, "classes", pipeline.seed)
    models = [AutoModelForSequenceClassification.from_pretrained(p) for p in (tmp_path / "out" / "student", folder)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    critic = hidden_loss("infonce", feature="mean")
    critic.draw(*(int(model.config.hidden_size) for model in models), seed=0)
    kept = load_file(tmp_path / "out" / "checkpoints" / "checkpoint-8" / "model.safetensors")
    prefix = "objective.between_layers.losses.0."
    critic.load_state_dict({n.removeprefix(prefix): value for n, value in kept.items() if n.startswith(prefix)})
    texts = [text for (text,) in dataset.validation.texts]
    estimates = []
    for start in range(0, len(texts) - 7, 8):
        batch = tokenizer(texts[start : start + 8], truncation=True, max_length=24, padding=True, return_tensors="pt")
        with torch.no_grad():
            states = [model(**batch, output_hidden_states=True).hidden_states[2] for model in models]
            estimates.append(np.log(8) - critic(*states, batch["attention_mask"]).item())
    assert record.metrics["mutual_information"]["2-2"] == pytest.approx(np.mean(estimates), abs=1e-4)


def test_weights_of_pairs_that_vary_are_in_the_record(tiny_bert: Path, tmp_path: Path) -> None:
    history = distill(
        pipeline_of(tiny_bert, mapping={"type": "emd"}, training={"epochs": 1}), tmp_path / "out"
    ).record.metrics["history"]
    for entry in (entry for entry in history if "loss" in entry):
        weights = [value for name, value in entry.items() if name.startswith("mapping.")]
        assert sum(weights) == pytest.approx(1.0, abs=1e-5)
    assert not any("mutual_information" in name for entry in history for name in entry)


def test_a_mapping_of_nothing_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny_bert, mapping={"type": "emd"}, objective={"intermediate": None})
    with pytest.raises(UserError, match="mapping: emd has no loss between layers to map"):
        distill(pipeline, tmp_path / "out")


def test_a_queue_that_would_hold_the_whole_epoch_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {"intermediate": {"type": "simple-contrastive", "queue": 33}}
    with pytest.raises(
        UserError, match=r"objective\.intermediate\.queue: 33 is more than half of the 64 training texts"
    ):
        distill(pipeline_of(tiny_bert, objective=objective), tmp_path / "out")
