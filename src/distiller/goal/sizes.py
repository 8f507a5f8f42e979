"""Students of several sizes out of one teacher."""

from collections.abc import Sequence

from transformers import PretrainedConfig

from distiller import models
from distiller.errors import UserError
from distiller.models import HeadKind, StudentConfig
from distiller.recommend import student_of

SHARES = (1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 5 / 6)
"""Of the teacher's layers."""


def sizes(teacher: PretrainedConfig, kind: HeadKind, given: Sequence[str] = ()) -> dict[str, StudentConfig]:
    """Students by name, those with fewest parameters first.

    Args:
        teacher: Its config.
        kind: Of its head.
        given: What may be tried: models, or the teacher's layers that a student keeps, such as 0,2,4; none: evenly
            spaced layers of the teacher, from a sixth of them to five.

    Raises:
        UserError: If one cannot be made of this teacher.
    """
    found = {name: _read(name) for name in given} or _evenly_spaced(models.described(teacher, kind)["layers"])
    parameters = {name: models.outline(config, teacher, kind)["parameters"] for name, config in found.items()}
    return {name: found[name] for name in sorted(found, key=lambda name: parameters[name])}


def _evenly_spaced(depth: int) -> dict[str, StudentConfig]:
    counts = sorted({max(1, round(depth * share)) for share in SHARES} - {depth})
    if not counts:
        mend = f"has {depth} layer, and a student of its layers would be no smaller; name students with --student"
        raise UserError("teacher.model", mend)
    return {
        f"{count} layer{'s' if count > 1 else ''}": StudentConfig(layers=spaced(count, depth), init="teacher")
        for count in counts
    }


def spaced(count: int, depth: int) -> list[int]:
    """So many of so many layers, evenly spaced."""
    return [place * depth // count for place in range(count)]


def _read(name: str) -> StudentConfig:
    content = student_of(name)
    return StudentConfig(**content, init="teacher") if "layers" in content else StudentConfig(**content)
