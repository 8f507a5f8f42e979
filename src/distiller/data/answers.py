"""Answers that are parts of a text, checked: each stands where it is said to stand."""

import json
import re
from collections.abc import Sequence
from typing import Any

from distiller.data.rows import Rows
from distiller.errors import UserError
from distiller.labels import Answer

NONE_THERE = "is_impossible"
"""The column that says of a question that the text has no answer to it (SQuAD v2)."""
FORM = '{"text": ["…"], "answer_start": [0]}'


def answers_of(rows: Rows, column: str, texts: Sequence[tuple[str, ...]]) -> list[tuple[Answer, ...]]:
    """The answers to each question, in the order given; none where the text has none.

    A cell is as on the Hugging Face hub, `{"text": [...], "answer_start": [...]}`, or a list with such pairs. Where
    there is a column `is_impossible`, a question without an answer has to say so there.

    Args:
        rows: Of a source.
        column: That of the answers.
        texts: Of each row the question, and the text that holds its answers.

    Raises:
        UserError: Naming the row, for a cell that holds no answers, an answer that is not where it is said to be, or a
            question that has none and does not say so, or has some and denies it.
    """
    cells = rows.cells(column, "data.label")
    found = [_answers(rows, column, position, cell) for position, cell in enumerate(cells)]
    for position, answers in enumerate(found):
        for answer in answers:
            _check_offset(rows, column, position, answer, texts[position][-1])
    if NONE_THERE in rows.columns:
        for position, (answers, says) in enumerate(zip(found, rows.columns[NONE_THERE], strict=True)):
            _check_claim(rows, column, position, answers=bool(answers), none_there=_as_truth(says))
    return found


def holds_answers(cell: Any) -> bool:
    """Whether there are any; what is malformed counts, so that it is read and refused."""
    content = _parsed(cell)
    if isinstance(content, dict):
        return bool(content.get("text", True))
    return bool(content)


def _answers(rows: Rows, column: str, position: int, cell: Any) -> tuple[Answer, ...]:
    pairs = _pairs(_parsed(cell))
    if pairs is None:
        raise _wrong(rows, column, position, "holds no answers", f"write {FORM}, or empty lists where there is none")
    return tuple(dict.fromkeys(pairs))


def _parsed(cell: Any) -> Any:
    """A cell of text as JSON; itself where it is none."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _pairs(content: Any) -> list[Answer] | None:
    """The answers of a cell; None if it holds something else."""
    if isinstance(content, dict):
        texts, starts = content.get("text"), content.get("answer_start")
        if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
            return None
        content = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
    if not isinstance(content, list) or not all(isinstance(pair, dict) for pair in content):
        return None
    pairs = [(pair.get("answer_start"), pair.get("text")) for pair in content]
    if not all(isinstance(start, int) and isinstance(text, str) and text.strip() for start, text in pairs):
        return None
    return [Answer(start, text) for start, text in pairs]


def _check_offset(rows: Rows, column: str, position: int, answer: Answer, text: str) -> None:
    end = answer.start + len(answer.text)
    if answer.start >= 0 and text[answer.start : end] == answer.text:
        return
    there = text[max(0, answer.start) : max(0, end)] or "no text"
    places = [found.start() for found in re.finditer(f"(?={re.escape(answer.text)})", text)]
    at = min(places, key=lambda place: abs(place - answer.start), default=-1)
    mend = f"it stands at {at}" if places else "the text does not hold it: correct one of them, or remove the question"
    problem = f"says {_shown(answer.text)} at character {answer.start}, where the text has {_shown(there)}"
    raise _wrong(rows, column, position, problem, mend)


def _check_claim(rows: Rows, column: str, position: int, *, answers: bool, none_there: bool) -> None:
    if answers and none_there:
        mend = f"remove them, or set {NONE_THERE} to false"
        raise _wrong(rows, column, position, f"has answers where {NONE_THERE} is true", mend)
    if not answers and not none_there:
        mend = f"give one, or {NONE_THERE}: true as in SQuAD v2"
        raise _wrong(rows, column, position, "has no answer", mend)


def _as_truth(cell: Any) -> bool:
    return cell.strip().lower() in ("true", "1") if isinstance(cell, str) else bool(cell)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _wrong(rows: Rows, column: str, position: int, problem: str, mend: str) -> UserError:
    return UserError(rows.place, f"column {column!r} {problem} ({rows.where([position])}): {mend}")
