"""What is trained: the student and the learned parts of the objective, with the frozen teachers beside them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from distiller import augment, models, store
from distiller.models import Features
from distiller.objectives import Objective
from distiller.store import FrozenTeacher, Question
from distiller.training.ensemble import Ensemble


class Distillation(nn.Module):
    """Student and objective as one module, so that data-parallel wrappers, checkpoints and the optimizer see both.

    Teachers are no part of it: their weights never change, so no checkpoint holds them and no optimizer sees them.

    Args:
        student: What learns.
        objective: The loss.
        teachers: Those that still have to answer; none where all have answered for all texts, or are not asked.
        ensemble: How their answers become one; None if there is one teacher, or none.
    """

    def __init__(
        self,
        student: PreTrainedModel,
        objective: Objective,
        teachers: Sequence[FrozenTeacher] = (),
        ensemble: Ensemble | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.objective = objective
        self._teachers = teachers
        self._ensemble = ensemble or Ensemble([None])

    def forward(
        self,
        student_inputs: Mapping[str, Tensor],
        targets: Tensor,
        questions: Sequence[Sequence[Question]] | None = None,
        teacher_inputs: Sequence[Mapping[str, Tensor]] | None = None,
        teacher_logits: Sequence[Tensor] | None = None,
        teacher_layers: Mapping[int, Tensor] | None = None,
        further: Mapping[int, Tensor] | None = None,
        partners: Tensor | None = None,
        share: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weighted terms of the loss by name, each a scalar; their sum is what is minimised. Then what is observed.

        Args:
            student_inputs: The batch as the student reads it, each tensor [batch, length].
            targets: [batch], the task's missing target where nobody has labelled the text.
            questions: Of each teacher the batch as it is to read it; None if they have answered, or are not asked.
            teacher_inputs: The same, to be mixed before it is read, each tensor [batch, length]; None if it is not.
            teacher_logits: Of each teacher its answer, [batch, classes].
            teacher_layers: By layer what was read of the first, as `Features` has it.
            further: By layer, [texts, width]: the first teacher's vectors of other texts.
            partners: [batch], with which text of the batch each is mixed; None if none is.
            share: [], that of the first of two.
        """
        shape = student_inputs["input_ids"].shape
        mix = None if partners is None or share is None else (partners, share)
        if mix is not None:
            student_inputs = augment.mixed_inputs(self.student, student_inputs, *mix)
        if teacher_inputs is not None:
            asked = zip(self._teachers, teacher_inputs, strict=True)
            questions = [[_question_of_all(teacher, inputs, mix)] for teacher, inputs in asked]
        if questions is not None:
            answers = [teacher(each, *shape) for teacher, each in zip(self._teachers, questions, strict=True)]
            teacher_logits, teacher_layers = [answer.logits for answer in answers], answers[0].layers
        said: Tensor | None = None
        if teacher_logits is not None:
            said = self._ensemble(teacher_logits, targets if teacher_inputs is None else None)
        if mix is not None and teacher_inputs is None and said is not None:
            said = augment.mixed(said, *mix)
            teacher_layers = {layer: augment.mixed(content, *mix) for layer, content in (teacher_layers or {}).items()}
        student = models.read(self.student, student_inputs, self.objective.reads_of_student)
        teacher: Features | None = None
        if said is not None:
            reading = self.objective.reads_of_teacher
            teacher = store.as_features(said, teacher_layers or {}, further or {}, reading, student.mask)
        terms, observed = self.objective(student, teacher, targets, *(mix or ()))
        return terms, observed


def _question_of_all(
    teacher: FrozenTeacher, inputs: Mapping[str, Tensor], mix: tuple[Tensor, Tensor] | None
) -> Question:
    """All texts of a batch, mixed with each other if they are to be."""
    rows = torch.arange(len(inputs["input_ids"]), device=inputs["input_ids"].device)
    if mix is None:
        return rows, inputs
    teacher.move_to(rows.device)
    with torch.no_grad():
        return rows, augment.mixed_inputs(teacher.model, inputs, *mix)
