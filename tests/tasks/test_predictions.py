"""Some of the predictions of a split are what a model says of some of its examples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distiller.tasks import Passages, Predictions, answers

TAGS = ["O", "B-x", "I-x"]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12))
def test_those_of_words_are_those_of_the_sentences_that_are_kept(sentences: list[tuple[int, bool]]) -> None:
    counts, kept = (np.array(side) for side in zip(*sentences, strict=True))
    targets = np.arange(counts.sum())
    logits = np.stack([targets, -targets, targets], axis=1).astype(np.float32)
    some = Predictions(logits, targets, counts, TAGS).of(kept)
    by_hand = [np.split(targets, np.cumsum(counts)[:-1])[place] for place in np.flatnonzero(kept)]
    assert [of_one.tolist() for of_one in some.by_text(some.targets)] == [of_one.tolist() for of_one in by_hand] or (
        not kept.any() and some.count == 0
    )
    np.testing.assert_array_equal(some.logits[:, 0], some.targets)
    assert some.classes == TAGS


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=6), st.integers(0, 1000))
def test_answers_are_those_to_the_questions_that_are_kept(questions: list[tuple[int, bool]], seed: int) -> None:
    """Contexts of several passages, each with three words of it."""
    random, kept = np.random.default_rng(seed), np.array([is_kept for _, is_kept in questions])
    contexts = [" ".join(f"w{place}" for place in range(3 * parts)) for parts, _ in questions]
    asked = [number for number, (parts, _) in enumerate(questions) for _ in range(parts)]
    places = [
        [(3 * word, 3 * word + 2) for word in range(3 * part, 3 * part + 3)]
        for parts, _ in questions
        for part in range(parts)
    ]
    names = [f"q{number}" for number in range(len(questions))]
    passages = Passages(
        contexts, [None] * len(names), names, [("q", "c")] * len(asked), asked, places, [(0, 0)] * len(asked)
    )
    logits = random.standard_normal((4 * len(asked), 2)).astype(np.float32)
    every = Predictions(logits, np.zeros((len(asked), 2)), np.full(len(asked), 4), None, passages, 0.5)
    some = every.of(kept)
    assert some.count == kept.sum()
    assert answers(some) == [of_one for of_one, is_kept in zip(answers(every), kept, strict=True) if is_kept]
    assert some.passages is not None
    assert some.passages.names == [name for name, is_kept in zip(names, kept, strict=True) if is_kept]
    assert some.threshold == 0.5
