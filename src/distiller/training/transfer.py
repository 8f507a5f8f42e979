"""How much of the teacher's layers a trained student's hold."""

import torch
from accelerate.utils import send_to_device

from distiller.objectives import MUTUAL_INFORMATION
from distiller.training.distillation import Distillation
from distiller.training.examples import TrainingSet


@torch.no_grad()
def mutual_information(distillation: Distillation, examples: TrainingSet, batch_size: int) -> dict[str, float]:
    """The bound in nats of each layer pair (`student layer-teacher layer`), mean over full batches; no dropout.

    Args:
        distillation: Student, critics and teacher.
        examples: Texts that none of them was trained on.
        batch_size: Texts a batch; if there are fewer texts, one batch of all of them.
    """
    device = next(distillation.student.parameters()).device
    size = min(batch_size, len(examples))
    distillation.eval()
    totals: dict[str, float] = {}
    starts = range(0, len(examples) - size + 1, size)
    for start in starts:
        _, observed = distillation(**send_to_device(examples.collate(range(start, start + size)), device))
        for name, value in observed.items():
            if name.startswith(MUTUAL_INFORMATION):
                pair = name.removeprefix(MUTUAL_INFORMATION)
                totals[pair] = totals.get(pair, 0.0) + float(value) / len(starts)
    return totals
