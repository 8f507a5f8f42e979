"""What is trained: the student and the learned parts of the objective, with the frozen teacher beside them."""

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from distiller import models
from distiller.objectives import FROM_MAPS, Features, Objective


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
        student = self._features(self.student, student_inputs)
        terms, observed = self.objective(student, teacher, targets)
        return terms, observed

    @torch.no_grad()
    def _teacher_features(self, inputs: Mapping[str, Tensor]) -> Features | None:
        if not self._teacher:
            return None
        teacher = self._teacher[0]
        if teacher.device != inputs["input_ids"].device:
            teacher.to(inputs["input_ids"].device)
        return self._features(teacher, inputs)

    def _features(self, model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Features:
        reads = self.objective.reads
        vectors = models.attention_vectors(model) if reads == "attention_vectors" else nullcontext(None)
        with vectors as recorded:
            output = model(
                **inputs,
                output_hidden_states=reads == "hidden_states",
                output_attentions=reads in FROM_MAPS,
            )
        mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
        vectors_of_layers = tuple(recorded) if recorded is not None else None
        return Features(output.logits, mask, output.hidden_states, output.attentions, vectors_of_layers)
