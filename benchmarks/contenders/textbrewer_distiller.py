"""TextBrewer. `textbrewer` is as its README has it: all texts padded to one length, AdamW as torch has it by default.
`textbrewer-dynamic` is what a careful user makes of it: each batch padded to its longest text, AdamW fused.

Its `kd_loss` is a cross-entropy without the factor T², and it sums its matches, each of which leaves padding out where
the adaptor gives `inputs_mask`: weights T² and one over the number of matches make the loss that of the others but for
T² times the entropy of the teacher, which is constant. It can keep teacher logits in memory, but not in the distiller
that matches hidden states. At the end of each epoch it saves the student's weights, as it does unless told otherwise.
"""

from pathlib import Path
from typing import Any

from textbrewer import DistillationConfig, GeneralDistiller, TrainingConfig
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import get_linear_schedule_with_warmup

from contenders.setting import Start, compete


def train(start: Start, name: str, scratch: Path) -> None:
    """By the documented `GeneralDistiller`."""
    setting = start.setting
    weight = 1 / len(start.pairs)
    distiller = GeneralDistiller(
        train_config=TrainingConfig(device="cpu", output_dir=str(scratch)),
        distill_config=DistillationConfig(
            temperature=setting.temperature,
            kd_loss_weight=setting.temperature**2,
            intermediate_matches=[
                {"layer_T": other, "layer_S": own, "feature": "hidden", "loss": "hidden_mse", "weight": weight}
                for own, other in start.pairs
            ],
        ),
        model_T=start.teacher,
        model_S=start.student,
        adaptor_T=adaptor,
        adaptor_S=adaptor,
    )
    schedule = {"num_warmup_steps": start.warmup_steps, "num_training_steps": start.steps}
    with distiller:
        distiller.train(
            start.optimizer(fused=True if name == "textbrewer-dynamic" else None),
            loader(start, name),
            num_epochs=setting.epochs,
            scheduler_class=get_linear_schedule_with_warmup,
            scheduler_args=schedule,
            max_grad_norm=setting.gradient_clip,
            callback=None,
            output_hidden_states=True,
        )


def adaptor(batch: dict[str, Tensor], outputs: Any) -> dict[str, Any]:
    """What TextBrewer is to look at."""
    return {"logits": outputs.logits, "hidden": outputs.hidden_states, "inputs_mask": batch["attention_mask"]}


def loader(start: Start, name: str) -> DataLoader:
    """Of texts padded beforehand, or when they are put together."""
    size = start.setting.batch_size
    if name == "textbrewer-dynamic":
        return DataLoader(start.texts, batch_size=size, sampler=start.order, collate_fn=start.collate)
    length = start.setting.max_length
    padded = start.tokenizer.pad(start.texts, padding="max_length", max_length=length, return_tensors="pt")
    rows = [{name: column[row] for name, column in padded.items()} for row in range(len(start.texts))]
    return DataLoader(rows, batch_size=size, sampler=start.order)


if __name__ == "__main__":
    compete(train, "textbrewer")
