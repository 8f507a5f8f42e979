"""TextBrewer on a pipeline of ours, as its README has it: all texts padded to one length, AdamW as torch has it by
default, the teacher asked at every step, in float32. Started as `python -m contenders.textbrewer_pipeline FILE RESULT`.

It has no mixup, no bounds on mutual information, no cross-entropy between states and no transport: texts are not mixed
here, states are compared by their squared error in place of the two, and layers are paired as `skip` does in place of
the last. Augmented copies are ours, made before its clock starts. The clock runs over training and over the evaluation
on validation after each epoch, for which batches are padded to their longest text alone.
"""

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from textbrewer import DistillationConfig, GeneralDistiller, TrainingConfig
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, get_linear_schedule_with_warmup, set_seed

from contenders.setting import adamw
from contenders.textbrewer_distiller import adaptor
from distiller import Pipeline, mapping, models
from distiller.data import Examples
from distiller.files import write_json
from distiller.training import inputs
from distiller.training.augmented import augmented
from distiller.training.plan import Plan, make_plan
from distiller.training.teacher import prepare

LOSSES = {"mse": "hidden_mse", "cos": "cos", "pkd": "pkd", "ce": "hidden_mse", "mi": "hidden_mse"}
MAPPINGS = {"skip": "skip", "last": "last", "emd": "skip"}
EVALUATION_BATCH = 64


def main() -> None:
    """Train, and write how long it took, and what the best epoch on validation comes to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("result", type=Path)
    arguments = parser.parse_args()
    pipeline = Pipeline.from_yaml(arguments.pipeline)
    plan = make_plan(pipeline)
    (ready,) = prepare(plan, inputs.fingerprints(plan))
    head, teacher = plan.task.head(plan.classes), ready.model.eval()
    student = models.build_student(
        pipeline.student, teacher, pipeline.teacher.model, head, plan.student_seed, plan.task.head_kind
    )
    copies = augmented(plan)
    rows = padded(plan, [*plan.learned_from, *([copies] if copies is not None else [])])
    set_seed(plan.student_seed)
    with TemporaryDirectory() as scratch:
        began = time.perf_counter()
        best = train(plan, teacher, student, rows, Path(scratch))
        seconds = time.perf_counter() - began
    retention = best.score / accuracy(plan, teacher, plan.dataset.validation)
    student.load_state_dict(best.weights)
    test, texts = accuracy(plan, student, plan.dataset.test), len(rows) * pipeline.training.epochs
    write_json(arguments.result, {"seconds": seconds, "texts": texts, "retention": retention, "test": test})


@dataclass
class Best:
    """The epoch with the best accuracy on validation so far."""

    score: float
    weights: dict[str, torch.Tensor]


def train(
    plan: Plan, teacher: PreTrainedModel, student: PreTrainedModel, rows: list[dict[str, Any]], scratch: Path
) -> Best:
    """By the documented `GeneralDistiller`."""
    training, prediction = plan.pipeline.training, plan.pipeline.objective.on_predictions
    if prediction is None or prediction.weight != 1 or plan.pipeline.objective.hard_label.weight != 0:
        raise ValueError(
            "a pipeline of `space: paper` learns from predictions, with a weight of 1, and not from labels"
        )
    temperature = getattr(prediction, "temperature", 1.0)
    loader = DataLoader(rows, batch_size=training.batch_size, shuffle=True)
    steps = training.epochs * len(loader)
    best = Best(-math.inf, {})

    def evaluate(model: PreTrainedModel, step: int) -> None:  # noqa: ARG001 - as it is called
        score = accuracy(plan, model, plan.dataset.validation)
        if score > best.score:
            best.score = score
            best.weights = {name: weight.clone() for name, weight in model.state_dict().items()}

    distiller = GeneralDistiller(
        train_config=TrainingConfig(device="cpu", output_dir=str(scratch)),
        distill_config=DistillationConfig(
            temperature=temperature,
            kd_loss_type=prediction.type,
            kd_loss_weight=temperature**2,
            intermediate_matches=matches(plan, student, teacher),
        ),
        model_T=teacher,
        model_S=student,
        adaptor_T=adaptor,
        adaptor_S=adaptor,
    )
    with distiller:
        distiller.train(
            adamw(student, training.learning_rate, training.weight_decay, fused=None),
            loader,
            num_epochs=training.epochs,
            scheduler_class=get_linear_schedule_with_warmup,
            scheduler_args={
                "num_warmup_steps": math.ceil(training.warmup * steps),
                "num_training_steps": steps,
            },
            max_grad_norm=training.gradient_clip,
            callback=evaluate,
            output_hidden_states=True,
        )
    return best


def matches(plan: Plan, student: PreTrainedModel, teacher: PreTrainedModel) -> list[dict[str, Any]]:
    """Which layers it is to compare, and how; none if the pipeline compares none."""
    intermediate = plan.pipeline.objective.between_layers
    if intermediate is None:
        return []
    depth, teacher_depth = student.config.num_hidden_layers, teacher.config.num_hidden_layers
    pairs = mapping.layer_pairs(MAPPINGS[plan.pipeline.mapping.type], depth, teacher_depth)
    loss, weight = LOSSES[intermediate.type], intermediate.weight / len(pairs)
    return [
        {"layer_T": other, "layer_S": own, "feature": "hidden", "loss": loss, "weight": weight}
        for own, other, _ in pairs
    ]


def padded(plan: Plan, splits: list[Examples]) -> list[dict[str, Any]]:
    """All texts, each padded to the greatest length."""
    tokenizer, length = plan.student_reader.tokenizer, plan.pipeline.data.max_length
    columns = [*zip(*[text for split in splits for text in split.texts], strict=True)]
    read = tokenizer(*map(list, columns), truncation=True, max_length=length, padding="max_length", return_tensors="pt")
    return [{name: column[row] for name, column in read.items()} for row in range(len(columns[0]))]


@torch.inference_mode()
def accuracy(plan: Plan, model: PreTrainedModel, split: Examples) -> float:
    """On a split, in float32, batches padded to their longest text."""
    model.eval()
    tokenizer, length = plan.student_reader.tokenizer, plan.pipeline.data.max_length
    known = torch.tensor(plan.task.targets(split.labels or [], plan.classes))
    said = []
    for first in range(0, len(split), EVALUATION_BATCH):
        columns = map(list, zip(*split.texts[first : first + EVALUATION_BATCH], strict=True))
        read = tokenizer(*columns, truncation=True, max_length=length, padding=True, return_tensors="pt")
        said.append(model(**read).logits.argmax(dim=-1))
    return float((torch.cat(said) == known).float().mean())


if __name__ == "__main__":
    main()
