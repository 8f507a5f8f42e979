"""What is trained: the student and the learned parts of the objective, with the frozen teacher beside them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from distiller import models
from distiller.models import Features
from distiller.objectives import Objective


class Distillation(nn.Module):
    """Student and objective as one module, so that data-parallel wrappers, checkpoints and the optimizer see both.

    The teacher is no part of it: its weights never change, so no checkpoint holds them and no optimizer sees them.
    """

    def __init__(self, student: PreTrainedModel, objective: Objective, teacher: PreTrainedModel | None) -> None:
        super().__init__()
        self.student = student
        self.objective = objective
        self._teacher = [teacher.eval()] if teacher is not None and objective.needs_teacher else []

    def forward(
        self,
        student_inputs: Mapping[str, Tensor],
        teacher_inputs: Mapping[str, Tensor] | None,
        targets: Tensor,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weighted terms of the loss by name, each a scalar; their sum is what is minimised. Then what is observed.

        Args:
            student_inputs: The batch as the student reads it, each tensor [batch, length].
            teacher_inputs: The batch as the teacher reads it; None if it reads as the student does.
            targets: [batch], the task's missing target where nobody has labelled the text.
        """
        teacher = self._teacher_features(teacher_inputs or student_inputs)
        student = models.read(self.student, student_inputs, self.objective.reads)
        terms, observed = self.objective(student, teacher, targets)
        return terms, observed

    @torch.no_grad()
    def _teacher_features(self, inputs: Mapping[str, Tensor]) -> Features | None:
        if not self._teacher:
            return None
        teacher = self._teacher[0]
        if teacher.device != inputs["input_ids"].device:
            teacher.to(inputs["input_ids"].device)
        return models.read(teacher, inputs, self.objective.reads)
