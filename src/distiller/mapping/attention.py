"""Which teacher layers each student layer learns from, learned."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from distiller.mapping.pairs import LayerPair, Mapping, PairWeights, check_depths, every_pair


class Attention(Mapping):
    """Each student layer learns a softmax over the teacher layers, all alike at first; embeddings are left out.

    The weights are trained to make the loss small, so that a student layer turns to the teacher layers that it can
    follow best; they learn so many times as fast as the student.
    """

    type: Literal["attention"] = "attention"
    learning_rate_factor: Annotated[float, Field(gt=0)] = 100.0

    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        check_depths(student_layers, teacher_layers)
        return every_pair(student_layers, teacher_layers)

    def weights(self, pairs: Sequence[LayerPair]) -> "AttentionWeights":
        return AttentionWeights(pairs, self.learning_rate_factor)


class AttentionWeights(PairWeights):
    """A softmax a student layer; each has the same share of the whole."""

    def __init__(self, pairs: Sequence[LayerPair], learning_rate_factor: float) -> None:
        super().__init__()
        self.learning_rate_factor = learning_rate_factor
        layers = len({student for student, _, _ in pairs}), len({teacher for _, teacher, _ in pairs})
        self.scores = nn.Parameter(torch.zeros(layers))

    def forward(self, costs: Tensor) -> Tensor:
        return (torch.softmax(self.scores, dim=-1) / len(self.scores)).flatten().to(costs.dtype)
