"""Self-attention relations."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from distiller.errors import UserError
from distiller.models import Kind
from distiller.objectives.intermediate.attention import divergence_over_keys, pairs
from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import counted_of_any_width


class MiniLM(HiddenLossConfig):
    """KL(R_T ‖ R_S) of the relations of queries, of keys and of values among positions (MiniLMv2, Wang et al. 2021).

    R = softmax(a aᵀ / √(width / relation_heads)) of each relation head: the vectors `a` of all attention heads, side by
    side, are cut anew into `relation_heads` parts, which has to divide both widths. So widths and heads may differ. The
    authors take 48 of a teacher 768 wide; 12 divides the usual widths of small students too.
    """

    reads: ClassVar[Kind] = "attention_vectors"
    takes_any_width: ClassVar[bool] = True

    type: Literal["minilm"] = "minilm"
    relation_heads: Annotated[int, Field(ge=1)] = 12

    @property
    def level(self) -> Level:
        return "token"

    def check_widths(self, student_width: int, teacher_width: int) -> None:
        fault = _indivisible(self.relation_heads, student_width, teacher_width)
        if fault is not None:
            raise UserError("objective.intermediate.relation_heads", fault)

    def build(self) -> "MiniLMLoss":
        return MiniLMLoss(self.relation_heads)


class MiniLMLoss(HiddenLoss):
    """KL(R_T ‖ R_S) over valid keys, mean over valid queries, relation heads and kinds of vectors.

    Of vectors [batch, kinds, length, width], the kinds being queries, keys and values, or [batch, length, width] of one
    kind. A ValueError names `relation_heads` if it does not divide both widths.
    """

    def __init__(self, relation_heads: int) -> None:
        super().__init__()
        self.relation_heads = relation_heads

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        fault = _indivisible(self.relation_heads, student_states.shape[-1], teacher_states.shape[-1])
        if fault is not None:
            raise ValueError(f"relation_heads: {fault}")
        if mask is not None and student_states.dim() == 4:
            mask = mask.unsqueeze(1).expand(-1, student_states.shape[1], -1)
        student, teacher, counts = counted_of_any_width(student_states, teacher_states, mask)
        relations = self._relations(student), self._relations(teacher)
        return divergence_over_keys(*relations, pairs(counts).unsqueeze(-3).expand_as(relations[0]))

    def _relations(self, vectors: Tensor) -> Tensor:
        """Scores [..., relation heads, length, length] of vectors [..., length, width]."""
        heads = vectors.unflatten(-1, (self.relation_heads, -1)).transpose(-2, -3)
        scores: Tensor = heads @ heads.mT / heads.shape[-1] ** 0.5
        return scores


def _indivisible(relation_heads: int, student_width: int, teacher_width: int) -> str | None:
    """What is wrong, if it does not divide both widths."""
    if student_width % relation_heads == 0 and teacher_width % relation_heads == 0:
        return None
    widths = f"{student_width}, the width of the student, and {teacher_width}, that of its teacher"
    return f"{relation_heads} does not divide both {widths}; choose a number that does"
