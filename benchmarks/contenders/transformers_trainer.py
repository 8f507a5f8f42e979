"""The usual tutorial: a `Trainer` with the teacher in `compute_loss`; `trainer`, and `trainer-bf16` with `bf16=True`.

What the setting does not say is left as the Trainer has it. With `bf16=True` the teacher would still compute in
float32, since it is the model alone that the Trainer wraps: accelerate prepares it too, as a careful user does.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DataCollatorWithPadding, PreTrainedModel, Trainer, TrainingArguments

from contenders.setting import Order, Start, compete, masked_mse


class TutorialTrainer(Trainer):
    """A Trainer that distils."""

    def __init__(self, start: Start, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.teacher = self.accelerator.prepare_model(start.teacher, evaluation_mode=True)

    def compute_loss(self, model: PreTrainedModel, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        student = model(**inputs, output_hidden_states=True)
        with torch.no_grad():
            teacher = self.teacher(**inputs, output_hidden_states=True)
        temperature = self.start.setting.temperature
        divergence = functional.kl_div(
            functional.log_softmax(student.logits / temperature, dim=-1),
            functional.softmax(teacher.logits / temperature, dim=-1),
            reduction="batchmean",
        )
        errors = [
            masked_mse(student.hidden_states[own], teacher.hidden_states[other], inputs["attention_mask"])
            for own, other in self.start.pairs
        ]
        return temperature**2 * divergence + torch.stack(errors).mean()

    def _get_train_sampler(self, *_: Any) -> Order:
        return self.start.order


def train(start: Start, name: str, scratch: Path) -> None:
    """By `Trainer.train`."""
    setting = start.setting
    arguments = TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=setting.epochs,
        per_device_train_batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        warmup_steps=start.warmup_steps,
        weight_decay=setting.weight_decay,
        max_grad_norm=setting.gradient_clip,
        bf16=name == "trainer-bf16",
        use_cpu=True,
    )
    trainer = TutorialTrainer(
        start,
        model=start.student,
        args=arguments,
        train_dataset=start.texts,
        data_collator=DataCollatorWithPadding(start.tokenizer),
    )
    trainer.train()


if __name__ == "__main__":
    compete(train, "accelerate")
