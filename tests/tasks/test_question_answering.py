"""Answers: scores are those of the official script, thresholds the best, spans those that brute force finds."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional
from torchmetrics.functional.text import squad as torchmetrics_squad

from distiller import tasks
from distiller.labels import Answer
from distiller.tasks import Found, Passages, Predictions, QuestionAnswering, answers, chosen, squad
from distiller.tasks.passages import Room, cut
from distiller.tasks.question_answering import BEST, LONGEST_ANSWER, NEVER, best_threshold

GOLDEN = json.loads((Path(__file__).parent / "squad_golden.json").read_text(encoding="utf-8"))
TASK = tasks.build("question-answering")
WORDS = st.sampled_from(["the", "river", "Rhine", "1990s", "an", "Apple,", "apple", "U.S.", "—", "café", "of"])
PHRASES = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)


def test_scores_are_those_of_the_official_script_to_the_last_digit() -> None:
    for question in GOLDEN["questions"]:
        assert squad.exact_match(question["prediction"], question["answers"]) == question["exact"]
        assert squad.f1(question["prediction"], question["answers"]) == question["f1"]


@given(PHRASES, st.lists(PHRASES, min_size=1, max_size=3))
def test_scores_are_those_of_torchmetrics(answer: str, right: list[str]) -> None:
    assume(squad.normalised(answer))  # the script of v1, which it has, gives nothing for two answers that are empty
    assume(all(map(squad.normalised, right)))
    theirs = torchmetrics_squad(
        [{"prediction_text": answer, "id": "0"}],
        [{"answers": {"answer_start": [0] * len(right), "text": right}, "id": "0"}],
    )
    assert 100 * squad.exact_match(answer, right) == pytest.approx(float(theirs["exact_match"]))
    assert 100 * squad.f1(answer, right) == pytest.approx(float(theirs["f1"]), rel=1e-6)


def test_the_threshold_is_as_good_as_that_of_the_official_script() -> None:
    plain = [
        question
        for question in GOLDEN["questions"]
        if squad.normalised(question["prediction"] or "river") and all(map(squad.normalised, question["answers"]))
    ]
    found = [_found(question["prediction"] or "river", question["no_answer_probability"]) for question in plain]
    known: list[Any] = [tuple(Answer(0, text) for text in question["answers"]) for question in plain]
    threshold = best_threshold(found, Passages([], known, [], [], [], [], []))
    f1 = [
        squad.f1(chosen(of_one, threshold).text, question["answers"])
        for of_one, question in zip(found, plain, strict=True)
    ]
    assert 100 * np.mean(f1) == pytest.approx(GOLDEN["best_f1"])


def _found(text: str, excess: float) -> list[Found]:
    return [Found(text, 0, 0.5, 0.0, 0.0), Found("", 0, 0.5, excess, 0.0)]


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.booleans()), min_size=1, max_size=8))
def test_no_other_threshold_is_better(questions: list[tuple[int, bool, bool]]) -> None:
    found = [_found("right" if right else "wrong", float(excess)) for excess, right, _ in questions]
    known: list[Any] = [(Answer(0, "right"),) if answered else () for *_, answered in questions]
    passages = Passages([], known, [], [], [], [], [])
    threshold = best_threshold(found, passages)

    def f1(at: float) -> float:
        pairs = zip(found, known, strict=True)
        return sum(squad.f1(chosen(of_one, at).text, [answer.text for answer in right]) for of_one, right in pairs)

    assert f1(threshold) == max(f1(at / 2) for at in range(-9, 10))
    assert (threshold == NEVER) == all(answered for *_, answered in questions)


def _predictions(logits: np.ndarray[Any, Any], passages: Passages, threshold: float | None = None) -> Predictions:
    counts = np.array([len(places) + 1 for places in passages.places])
    return Predictions(logits.astype(np.float32), np.zeros(1), counts, None, passages, threshold)


@given(st.integers(1, 45), st.integers(0, 10**6), st.booleans())
def test_the_best_answers_are_those_of_all_spans(words: int, seed: int, unread: bool) -> None:  # noqa: FBT001
    generator = np.random.default_rng(seed)
    context = " ".join(f"w{number}" for number in range(words))
    bounds = [0, *np.cumsum([len(f"w{number}") + 1 for number in range(words)]).tolist()]
    places = [(start, end - 1) for start, end in pairwise(bounds)]
    logits = generator.normal(size=(words + 1, 2))
    if unread and words > 1:
        logits[1 + int(generator.integers(words - 1))] = np.nan
    passages = Passages([context], [()], ["q"], [("q", context)], [0], [places], [(0, 0)])
    (found,) = answers(_predictions(logits, passages))
    spans = {
        context[places[first][0] : places[last][1]]: np.float32(logits[first + 1, 0]) + np.float32(logits[last + 1, 1])
        for first in range(words)
        for last in range(first, min(words, first + LONGEST_ANSWER))
    }
    best = max(score for score in spans.values() if np.isfinite(score))
    answered = [answer for answer in found if answer.text]
    assert answered[0].score == pytest.approx(best, abs=1e-5)
    assert spans[answered[0].text] == pytest.approx(answered[0].score, abs=1e-5)
    assert sum(answer.probability for answer in found) == pytest.approx(1.0)
    assert [answer.score for answer in answered] == sorted((answer.score for answer in answered), reverse=True)
    assert len(found) <= BEST + 1
    assert all(context[answer.start :].startswith(answer.text) for answer in found)


def test_a_question_of_several_passages_has_the_best_answer_of_any_and_none_where_that_is_least() -> None:
    context = "one two"
    passages = Passages(
        [context], [()], ["q"], [("q", "one"), ("q", " two")], [0, 0], [[(0, 3)], [(4, 7)]], [(0, 0), (0, 0)]
    )
    logits = np.array([[5.0, 1.0], [0.0, 0.0], [2.0, 1.0], [1.0, 1.5]])
    (found,) = answers(_predictions(logits, passages))
    by_text = {answer.text: answer.score for answer in found}
    assert by_text == {"": 3.0, "two": 2.5, "one": 0.0}
    assert TASK.files(_predictions(logits, passages, threshold=0.4))["predictions.json"] == {"q": ""}
    assert TASK.files(_predictions(logits, passages, threshold=0.6))["predictions.json"] == {"q": "two"}


def test_scores_say_how_it_does_with_answers_and_without() -> None:
    known: list[Any] = [(Answer(0, "one two"),), (), (Answer(0, "one"),)]
    passages = Passages(
        ["one two"] * 3, known, ["a", "b", "c"], [("q", "one two")] * 3, [0, 1, 2], [[(0, 3), (4, 7)]] * 3, [(0, 0)] * 3
    )
    logits = np.array([[-9, -9], [1, 1], [0, 0], [9, 9], [1, 1], [0, 0], [9, 9], [1, 1], [0, 0]])
    scores = TASK.scores(_predictions(logits, passages, threshold=0.0))
    assert scores == pytest.approx(
        {
            "f1": (2 / 3 + 1 + 0) / 3,
            "exact_match": 1 / 3,
            "answered_f1": 1 / 3,
            "answered_exact_match": 0.0,
            "no_answer": 1.0,
        }
    )


def test_the_label_loss_is_the_cross_entropy_over_places_that_are_read() -> None:
    logits = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    unread = logits.masked_fill(
        torch.tensor([[0, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]).bool()[..., None], torch.nan
    )
    targets = torch.tensor([[1, 4], [0, 0], [-100, -100]])
    loss = TASK.label_loss(unread, targets)
    by_hand = [
        functional.cross_entropy(logits[text, kept, side][None], torch.tensor([kept.index(target)]))
        for text, kept, places in ((0, [0, 1, 3, 4], (1, 4)), (1, [0, 1, 2], (0, 0)))
        for side, target in enumerate(places)
    ]
    torch.testing.assert_close(loss, torch.stack(by_hand).mean())
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.isfinite().all()
    assert TASK.label_loss(unread, torch.full((3, 2), -100)) == 0


def test_a_model_that_was_never_settled_has_no_threshold() -> None:
    class Config:
        no_answer_threshold: Any = None

    assert QuestionAnswering().threshold(Config()) is None
    Config.no_answer_threshold = 1
    assert QuestionAnswering().threshold(Config()) == 1.0


def test_room_is_shared_by_two_readers(tiny_bert: Path) -> None:
    """Passages for two models are such as the one with less room can read."""
    from distiller import models

    tokenizer = models.load_tokenizer(str(tiny_bert), "test")
    text = ("what is it?", " ".join(f"w{number}" for number in range(60)))
    small, both = (
        cut([text], [None], ["q"], rooms)
        for rooms in (
            [Room(tokenizer, 24, 5)],
            [Room(tokenizer, 64, 20), Room(tokenizer, 24, 5)],
        )
    )
    assert both.texts == small.texts
