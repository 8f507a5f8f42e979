"""Answers in copies of their contexts: whatever augmentation does around them, they stand as they stood."""

from hypothesis import given
from hypothesis import strategies as st

from distiller.augment import AugmentationConfig, Policy
from distiller.labels import Answer
from distiller.training.augmented import _between_spaces, changed_texts
from distiller.training.progress import TextsBar

PIECES = [
    "a",
    "Zq",
    "river,",
    "e\u0301t\u00e9",
    "\u6771\u4eac",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u0645\u0631\u062d\u0628\u0627",
    "\U0001f642",
    "\U0001f469\u200d\U0001f467",
    "(1990s)",
    "\u00bd",
    "\u200b",
]
SPACES = [" ", "  ", "\t", "\n", "\u00a0", "\u3000", ""]
CONTEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(SPACES)), min_size=1, max_size=20)


@given(CONTEXTS, st.sampled_from(["swap", "delete", "crop", "keyboard", "ocr"]), st.floats(0.1, 1.0), st.data())
def test_an_answer_survives_whatever_stands_around_it(
    parts: list[tuple[str, str]], action: str, p: float, data: st.DataObject
) -> None:
    """Of any script, between any white space: what is kept stands in the copy as it did, where it should."""
    context = "".join(piece + space for piece, space in parts)
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    if not context[start:end].strip():
        return
    kept = _between_spaces(context, Answer(start, context[start:end]))
    assert kept[0] <= start < end <= kept[1]
    step = (
        {"type": "spelling", "source": action}
        if action in ("keyboard", "ocr")
        else {"type": "random", "action": action}
    )
    policy = Policy(AugmentationConfig.model_validate({"steps": [{**step, "p": p}]}).steps)
    with TextsBar("test", 1) as bar:
        ((question, changed),) = changed_texts([("who?", context)], [kept], policy, [1], 0, bar)
    assert question == "who?"
    before = len(changed) - len(changed.lstrip())
    assert before == len(context) - len(context.lstrip())  # white space at the ends stays
    places = [place for place in range(len(changed)) if changed.startswith(context[kept[0] : kept[1]], place)]
    assert any(
        (place == 0 or changed[place - 1].isspace()) and _ends_at_space(changed, place + kept[1] - kept[0])
        for place in places
    )


def _ends_at_space(text: str, end: int) -> bool:
    return end == len(text) or text[end].isspace() or text[end - 1].isspace()
