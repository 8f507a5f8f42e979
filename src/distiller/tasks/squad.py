"""How SQuAD compares an answer with those that people gave (Rajpurkar et al. 2016, 2018), as its script for v2 does."""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(answer: str) -> str:
    """In small letters, without punctuation and articles, with single spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def expected(answers: Sequence[str]) -> list[str]:
    """What counts as right: the answers of which normalising leaves anything, or else the empty one."""
    return [answer for answer in answers if normalised(answer)] or [""]


def exact_match(answer: str, answers: Sequence[str]) -> float:
    """1 if it is one of those that count as right, else 0."""
    return float(any(normalised(answer) == normalised(other) for other in expected(answers)))


def f1(answer: str, answers: Sequence[str]) -> float:
    """The best harmonic mean of the shares of words that it has in common with one that counts as right."""
    return max(_f1(normalised(answer).split(), normalised(other).split()) for other in expected(answers))


def _f1(found: list[str], right: list[str]) -> float:
    if not found or not right:
        return float(found == right)
    common = sum((Counter(found) & Counter(right)).values())
    if common == 0:
        return 0.0
    # The operations of the official script, in its order, so that the last digit is the same.
    precision, recall = 1.0 * common / len(found), 1.0 * common / len(right)
    return (2 * precision * recall) / (precision + recall)
