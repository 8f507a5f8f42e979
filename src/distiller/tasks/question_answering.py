"""Answers to questions that are parts of a text, or none (SQuAD v1.1 and v2.0)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor
from torch.nn import functional

from distiller.labels import LabelKind
from distiller.tasks import squad
from distiller.tasks.passages import NO_ANSWER, Passages
from distiller.tasks.task import Predictions, Task, cross_entropies
from distiller.tasks.tokens import Segmentation
from distiller.words import UNLABELLED

BEST = 20
"""So many places are looked at as beginnings and as ends, and so many answers are told."""
LONGEST_ANSWER = 30
"""In words: none is longer."""
THRESHOLD = "no_answer_threshold"
"""The field of a model's config: by how much no answer has to be more probable than the best one, to be given."""
NEVER = 1e9
"""A threshold that no logits reach."""


@dataclass(frozen=True)
class Found:
    """One possible answer to a question.

    Attributes:
        text: As it stands in the context; empty for none.
        start: The character where it begins.
        probability: Among all that are told.
        start_logit: That it begins there.
        end_logit: That it ends where it does.
    """

    text: str
    start: int
    probability: float
    start_logit: float
    end_logit: float

    @property
    def score(self) -> float:
        return self.start_logit + self.end_logit


class QuestionAnswering(Task):
    """Texts are a question and the context that it is about; places of answers are the words of the context."""

    name: ClassVar[str] = "question-answering"
    label_kind: ClassVar[LabelKind] = "answers"
    metrics: ClassVar[tuple[str, ...]] = ("f1", "exact_match")
    missing_target: ClassVar[float] = UNLABELLED
    target_dtype: ClassVar[torch.dtype] = torch.long
    default_prediction: ClassVar[str] = "kl"
    exclusive_classes: ClassVar[bool] = True
    head_kind: ClassVar[Literal["sequence", "token", "span"]] = "span"
    segmentation: ClassVar[Segmentation | None] = "pieces"
    is_settled: ClassVar[bool] = True

    def head(self, classes: list[str] | None) -> dict[str, Any]:  # noqa: ARG002
        return {"num_labels": 2}

    def targets(self, labels: Sequence[Any], classes: list[str] | None) -> list[Any]:  # noqa: ARG002
        """Those of passages are made with them.

        Raises:
            TypeError: Always.
        """
        raise TypeError("answers are places in passages; see tasks.passages")

    def costs(self, logits: Tensor, targets: Tensor | None) -> Tensor:
        """[batch, 1, 1]: mean over beginning and end."""
        scores = logits.masked_fill(logits.isnan(), -torch.inf).transpose(1, 2)
        return cross_entropies(scores, targets, self.missing_target).mean(dim=1)[:, None, None]

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of beginning and end: logits [batch, places, 2], targets [batch, 2]."""
        labelled = targets[:, 0] != UNLABELLED
        if not bool(labelled.any()):
            return logits.nan_to_num().sum() * 0.0
        scores = logits.float().masked_fill(logits.isnan(), -torch.inf)
        return functional.cross_entropy(scores[labelled], targets[labelled])

    def scores(self, predictions: Predictions) -> dict[str, float]:
        """F1 and exact match of the answers, as SQuAD's script for v2 has them (as shares, not per cent).

        Where some questions have no answer, both also of those that have one, and the share of the others for which
        none was given. Without a threshold it is the best one for these very questions.
        """
        passages, found = _of(predictions), answers(predictions)
        given = _given(predictions, found)
        right = [_texts(passages, number) for number in range(len(given))]
        f1 = np.array([squad.f1(answer, known) for answer, known in zip(given, right, strict=True)])
        exact = np.array([squad.exact_match(answer, known) for answer, known in zip(given, right, strict=True)])
        answered = np.array([bool(known) for known in right])
        scores = {"f1": float(f1.mean()), "exact_match": float(exact.mean())}
        if answered.all():
            return scores
        without = {"no_answer": float(exact[~answered].mean())}
        if not answered.any():
            return {**scores, **without}
        with_answer = {"answered_f1": float(f1[answered].mean()), "answered_exact_match": float(exact[answered].mean())}
        return {**scores, **with_answer, **without}

    def guesses(self, predictions: Predictions) -> list[Any]:
        threshold = NEVER if predictions.threshold is None else predictions.threshold
        return [chosen(of_one, threshold).text for of_one in answers(predictions)]

    def settled(self, predictions: Predictions) -> dict[str, Any]:
        """The threshold with the best F1."""
        return {THRESHOLD: best_threshold(answers(predictions), _of(predictions))}

    def threshold(self, config: Any) -> float | None:
        found = getattr(config, THRESHOLD, None)
        return float(found) if isinstance(found, int | float) else None

    def files(self, predictions: Predictions) -> dict[str, Any]:
        """`predictions.json` as the official script reads it, and the best answers to each question with theirs."""
        names, found = _of(predictions).names, answers(predictions)
        best = ([asdict(answer) for answer in of_one] for of_one in found)
        return {
            "predictions.json": dict(zip(names, _given(predictions, found), strict=True)),
            "nbest_predictions.json": dict(zip(names, best, strict=True)),
        }


def answers(predictions: Predictions) -> list[list[Found]]:
    """Of each question the best answers, most probable first, each text once; none (an empty text) is among them.

    An answer begins and ends in one passage, and scores as much as both of its logits; none scores as much as in the
    passage where that is least (Devlin et al. 2019, section 4.3).
    """
    passages = _of(predictions)
    of_passages = predictions.by_text(predictions.logits)
    found: list[dict[str, Found]] = [{} for _ in passages.contexts]
    for passage, question in enumerate(passages.questions):
        context, places, best = passages.contexts[question], passages.places[passage], found[question]
        for first, last, begins, ends in _spans(of_passages[passage]):
            if first == NO_ANSWER:
                candidate = Found("", 0, 0.0, begins, ends)
                if "" not in best or candidate.score < best[""].score:
                    best[""] = candidate
                continue
            start, end = places[first - 1][0], places[last - 1][1]
            candidate = Found(context[start:end], start, 0.0, begins, ends)
            if candidate.text not in best or candidate.score > best[candidate.text].score:
                best[candidate.text] = candidate
    return [_with_probabilities([*of_one.values()]) for of_one in found]


def chosen(found: Sequence[Found], threshold: float) -> Found:
    """The best answer, or none if that is more probable by more than the threshold."""
    none = next(answer for answer in found if not answer.text)
    best = next((answer for answer in found if answer.text), None)
    return none if best is None or none.score - best.score > threshold else best


def best_threshold(found: Sequence[Sequence[Found]], passages: Passages) -> float:
    """That with the best F1 for these questions; of several the one nearest to 0; `NEVER` if all have an answer."""
    right = [_texts(passages, number) for number in range(len(found))]
    if all(right):
        return NEVER
    excess, gains, without = [], [], 0.0
    for of_one, known in zip(found, right, strict=True):
        none, best = chosen(of_one, -NEVER), chosen(of_one, NEVER)
        without += squad.f1("", known)
        excess.append(none.score - best.score)
        gains.append(squad.f1(best.text, known) - squad.f1("", known))
    order = np.argsort(excess, kind="stable")
    sorted_excess = np.asarray(excess)[order]
    # After so many questions, in the order of their excess, have been answered.
    totals = without + np.concatenate([[0.0], np.cumsum(np.asarray(gains)[order])])
    bounds = np.concatenate([[sorted_excess[0] - 1.0], sorted_excess, [sorted_excess[-1] + 1.0]])
    between = (bounds[:-1] + bounds[1:]) / 2
    possible = np.concatenate([[True], np.diff(sorted_excess) > 0, [True]])
    best = totals[possible] >= totals[possible].max() - 1e-9
    candidates = between[possible][best]
    return float(candidates[np.abs(candidates).argmin()])


def _given(predictions: Predictions, found: Sequence[Sequence[Found]]) -> list[str]:
    """The answer to each question, by the threshold that was settled, or else the best for these questions."""
    threshold = predictions.threshold
    if threshold is None:
        threshold = best_threshold(found, _of(predictions))
    return [chosen(of_one, threshold).text for of_one in found]


def _spans(logits: NDArray[np.float32]) -> list[tuple[int, int, float, float]]:
    """(first place, last place, logit of the first, of the last) of the best answers in a passage, and of none."""
    begins, ends = logits[1:].T.astype(np.float64)
    firsts, lasts = _best(begins), _best(ends)
    length = lasts[None, :] - firsts[:, None]
    possible = (length >= 0) & (length < LONGEST_ANSWER)
    none = (NO_ANSWER, NO_ANSWER, float(logits[NO_ANSWER, 0]), float(logits[NO_ANSWER, 1]))
    rows, columns = np.nonzero(possible)
    totals = begins[firsts[rows]] + ends[lasts[columns]]
    best = np.argsort(-totals, kind="stable")[:BEST]
    pairs = zip(firsts[rows[best]].tolist(), lasts[columns[best]].tolist(), strict=True)
    return [none, *((first + 1, last + 1, float(begins[first]), float(ends[last])) for first, last in pairs)]


def _best(logits: NDArray[np.float64]) -> NDArray[np.int64]:
    """The places of the highest logits, of those that are read."""
    order = np.argsort(-np.nan_to_num(logits, nan=-np.inf), kind="stable")[:BEST]
    return order[~np.isnan(logits[order])]


def _with_probabilities(found: list[Found]) -> list[Found]:
    """The best of them, and none."""
    ranked = sorted(found, key=lambda answer: -answer.score)
    kept = ranked[:BEST]
    if all(answer.text for answer in kept):
        kept = [*kept, next(answer for answer in ranked if not answer.text)]
    probabilities = softmax([answer.score for answer in kept]).tolist()
    return [
        Found(answer.text, answer.start, probability, answer.start_logit, answer.end_logit)
        for answer, probability in zip(kept, probabilities, strict=True)
    ]


def _texts(passages: Passages, question: int) -> list[str]:
    return [answer.text for answer in passages.answers[question] or ()]


def _of(predictions: Predictions) -> Passages:
    if predictions.passages is None:
        raise ValueError("predictions of answers need the passages that they are of")
    return predictions.passages
