"""Which student layer learns from which teacher layer: one file per mapping. Hidden state 0 is the embedding output."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from distiller.mapping.attention import Attention
from distiller.mapping.emd import EMD, transport_plan
from distiller.mapping.explicit import Explicit
from distiller.mapping.last import Last
from distiller.mapping.pairs import FixedWeights, LayerPair, Mapping, PairWeights
from distiller.mapping.skip import Skip
from distiller.mapping.uniform import Uniform
from distiller.schema import validated_by

MappingConfig = Annotated[Skip | Last | Uniform | Explicit | EMD | Attention, Field(discriminator="type")]
_ADAPTER: TypeAdapter[MappingConfig] = TypeAdapter(MappingConfig)

__all__ = [
    "EMD",
    "Attention",
    "Explicit",
    "FixedWeights",
    "Last",
    "LayerPair",
    "Mapping",
    "MappingConfig",
    "PairWeights",
    "Skip",
    "Uniform",
    "layer_pairs",
    "transport_plan",
]


def layer_pairs(type: str, student_layers: int, teacher_layers: int, **options: Any) -> list[LayerPair]:  # noqa: A002
    """The (student layer, teacher layer, weight) of a mapping by name; layer 0 is the embedding output.

    Args:
        type: `skip`, `last`, `uniform`, `explicit`; of `emd` and `attention`, whose weights follow in training, all
            pairs at equal weights.
        student_layers: Transformer layers of the student, without the embeddings.
        teacher_layers: Those of the teacher.
        **options: Fields of the mapping, e.g. `pairs` of `explicit`.

    Raises:
        UserError: If there is no such mapping, or it does not fit the two models.
    """
    mapping: Mapping = validated_by(_ADAPTER, {"type": type, **options}, "mapping")
    return mapping.between(student_layers, teacher_layers)
