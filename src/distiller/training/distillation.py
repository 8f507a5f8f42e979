"""What is trained: the student and the learned parts of the objective, with the frozen teacher beside them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from distiller import augment, models, store
from distiller.models import Features
from distiller.objectives import Objective
from distiller.store import FrozenTeacher, Question


class Distillation(nn.Module):
    """Student and objective as one module, so that data-parallel wrappers, checkpoints and the optimizer see both.

    The teacher is no part of it: its weights never change, so no checkpoint holds them and no optimizer sees them. It
    is None where it has answered for all texts already, or is not asked.
    """

    def __init__(self, student: PreTrainedModel, objective: Objective, teacher: FrozenTeacher | None) -> None:
        super().__init__()
        self.student = student
        self.objective = objective
        self._teacher = teacher

    def forward(
        self,
        student_inputs: Mapping[str, Tensor],
        targets: Tensor,
        questions: Sequence[Question] | None = None,
        teacher_inputs: Mapping[str, Tensor] | None = None,
        teacher_logits: Tensor | None = None,
        teacher_layers: Mapping[int, Tensor] | None = None,
        further: Mapping[int, Tensor] | None = None,
        partners: Tensor | None = None,
        share: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weighted terms of the loss by name, each a scalar; their sum is what is minimised. Then what is observed.

        Args:
            student_inputs: The batch as the student reads it, each tensor [batch, length].
            targets: [batch], the task's missing target where nobody has labelled the text.
            questions: The batch as the teacher is to read it; None if it has answered, or is not asked.
            teacher_inputs: The same, to be mixed before it is read, each tensor [batch, length]; None if it is not.
            teacher_logits: Its answer, [batch, classes].
            teacher_layers: By layer what was read of it, as `Features` has it.
            further: By layer, [texts, width]: the teacher's vectors of other texts.
            partners: [batch], with which text of the batch each is mixed; None if none is.
            share: [], that of the first of two.
        """
        shape = student_inputs["input_ids"].shape
        mix = None if partners is None or share is None else (partners, share)
        if mix is not None:
            student_inputs = augment.mixed_inputs(self.student, student_inputs, *mix)
        if teacher_inputs is not None:
            questions = [self._question_of_all(teacher_inputs, mix)]
        if questions is not None and self._teacher is not None:
            answer = self._teacher(questions, *shape)
            teacher_logits, teacher_layers = answer.logits, answer.layers
        if mix is not None and teacher_inputs is None and teacher_logits is not None:
            teacher_logits = augment.mixed(teacher_logits, *mix)
            teacher_layers = {layer: augment.mixed(content, *mix) for layer, content in (teacher_layers or {}).items()}
        student = models.read(self.student, student_inputs, self.objective.reads_of_student)
        teacher: Features | None = None
        if teacher_logits is not None:
            reading = self.objective.reads_of_teacher
            teacher = store.as_features(teacher_logits, teacher_layers or {}, further or {}, reading, student.mask)
        terms, observed = self.objective(student, teacher, targets, *(mix or ()))
        return terms, observed

    def _question_of_all(self, inputs: Mapping[str, Tensor], mix: tuple[Tensor, Tensor] | None) -> Question:
        """All texts of a batch, mixed with each other if they are to be."""
        rows = torch.arange(len(inputs["input_ids"]), device=inputs["input_ids"].device)
        if mix is None or self._teacher is None:
            return rows, inputs
        self._teacher.move_to(rows.device)
        with torch.no_grad():
            return rows, augment.mixed_inputs(self._teacher.model, inputs, *mix)
