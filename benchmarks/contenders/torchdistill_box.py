"""torchdistill by its `DistillationBox`, with the loop and the kind of config of its examples for transformers.

It imports torchvision, which this environment has not, for its image classifiers and its list of image datasets alone:
two empty modules stand in their place here, and nothing else is changed. Its `KDLoss` has the factor T² only beside a
loss on labels, so T² is its weight here. It has no loss on hidden states that leaves padding out, so one is registered,
as its documentation tells to; the attention mask comes to it as the targets. Batches are padded to their longest text,
as in its examples. Of their loop, the meters that print are left out; it saves nothing.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import get_linear_schedule_with_warmup

from contenders.setting import Start, adamw, compete, masked_mse

for images in ("torchdistill.models.classification", "torchvision.datasets"):
    sys.modules[images] = ModuleType(images)

from torchdistill.core.distillation import get_distillation_box  # noqa: E402
from torchdistill.datasets.registry import register_collate_func  # noqa: E402
from torchdistill.losses.registry import register_mid_level_loss  # noqa: E402
from torchdistill.optim.registry import register_optimizer, register_scheduler  # noqa: E402

register_optimizer(adamw)
register_scheduler(get_linear_schedule_with_warmup)

TEXTS = "train"


@register_mid_level_loss
class HiddenStatesLoss(nn.Module):
    """Squared error of what a module of the student gives and one of the teacher; padding left out."""

    def __init__(self, student: str, teacher: str) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher

    def forward(self, student_outputs: dict[str, Any], teacher_outputs: dict[str, Any], targets: Tensor) -> Tensor:
        return masked_mse(student_outputs[self.student]["output"], teacher_outputs[self.teacher]["output"], targets)


def train(start: Start, _name: str, _scratch: Path) -> None:
    """As the examples of torchdistill do."""
    register_collate_func(start.collate, key="dynamic padding")
    box = get_distillation_box(
        start.teacher,
        start.student,
        {TEXTS: start.texts},
        config(start),
        device=torch.device("cpu"),
        device_ids=None,
        distributed=False,
        lr_factor=1,
    )
    for epoch in range(box.num_epochs):
        box.pre_epoch_process(epoch=epoch)
        for batch in box.train_data_loader:
            loss = box.forward_process(batch, targets=batch["attention_mask"], supp_dict=None)
            box.post_forward_process(loss=loss)
        box.post_epoch_process()


def config(start: Start) -> dict[str, Any]:
    """The setting as torchdistill reads it."""
    setting = start.setting
    student, teacher = (layer_paths(model) for model in (start.student, start.teacher))
    pairs = [(student[own], teacher[other]) for own, other in start.pairs]
    return {
        "num_epochs": setting.epochs,
        "train_data_loader": {
            "dataset_id": TEXTS,
            "requires_supp": False,
            "sampler": {"class_or_func": lambda _: start.order},
            "collate_fn": "dynamic padding",
            "kwargs": {"batch_size": setting.batch_size, "num_workers": 0},
        },
        "teacher": reading([path for _, path in pairs], requires_grad=False),
        "student": reading([path for path, _ in pairs], requires_grad=True),
        "optimizer": {
            "key": "adamw",
            "kwargs": {"learning_rate": setting.learning_rate, "weight_decay": setting.weight_decay},
            "filters_params": False,
            "max_grad_norm": setting.gradient_clip,
        },
        "scheduler": {
            "key": "get_linear_schedule_with_warmup",
            "kwargs": {"num_warmup_steps": start.warmup_steps, "num_training_steps": start.steps},
            "scheduling_step": 1,
        },
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": terms(setting.temperature, pairs)}},
    }


def reading(paths: list[str], *, requires_grad: bool) -> dict[str, Any]:
    """A model whose logits and hidden states are caught by hooks."""
    return {
        "forward_proc": "forward_batch_only_as_kwargs",
        "requires_grad": requires_grad,
        "forward_hook": {"output": ["classifier", *paths]},
    }


def terms(temperature: float, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """The parts of the loss."""
    logits = {
        "student_module_path": "classifier",
        "student_module_io": "output",
        "teacher_module_path": "classifier",
        "teacher_module_io": "output",
        "temperature": temperature,
        "alpha": 0,
    }
    hidden = {
        f"{student} {teacher}": {
            "criterion": {"key": "HiddenStatesLoss", "kwargs": {"student": student, "teacher": teacher}},
            "weight": 1 / len(pairs),
        }
        for student, teacher in pairs
    }
    return {"logits": {"criterion": {"key": "KDLoss", "kwargs": logits}, "weight": temperature**2}, **hidden}


def layer_paths(model: Any) -> list[str]:
    """The modules that give the hidden states, embeddings first; named alike in BERT and MPNet."""
    body = model.base_model_prefix
    layers = [f"{body}.encoder.layer.{layer}" for layer in range(model.config.num_hidden_layers)]
    return [f"{body}.embeddings", *layers]


if __name__ == "__main__":
    compete(train, "torchdistill")
