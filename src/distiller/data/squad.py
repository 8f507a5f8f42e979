"""Questions about paragraphs of articles, as the files of SQuAD v1.1 and v2.0 have them."""

import json
from collections.abc import Iterator
from typing import Any

from distiller.data.answers import NONE_THERE
from distiller.data.rows import Rows
from distiller.errors import UserError

FORM = '{"data": [{"paragraphs": [{"context": "…", "qas": [{"id": "…", "question": "…", "answers": […]}]}]}]}'


def questions(place: str, text: str) -> Rows:
    """One row a question, with the columns of the Hugging Face hub, and `is_impossible`.

    A file in which no question says whether it is impossible is one of v1.1: all its questions have answers.

    Raises:
        UserError: Naming the part of the file that is not as in SQuAD, or a question whose `id` is there before.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        mend = "write it as SQuAD does, or one JSON object on each line of a .jsonl file"
        raise UserError(place, f"is not JSON ({error}); {mend}") from error
    rows = [*_questions(place, content)]
    if not rows:
        raise UserError(place, "has no questions; give a file with some")
    numbers: dict[str, int] = {}
    for number, row in enumerate(rows):
        if numbers.setdefault(row["id"], number) != number:
            raise UserError(place, f"two questions have the id {row['id']!r}; give each its own")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return Rows(place, "question", [*numbers], columns, typed=True)


def _questions(place: str, content: Any) -> Iterator[dict[str, Any]]:
    for article_place, article in _listed(place, "", content, "data"):
        title = article.get("title", "")
        for paragraph_place, paragraph in _listed(place, article_place, article, "paragraphs"):
            context = _text(place, paragraph_place, paragraph, "context")
            for question_place, question in _listed(place, paragraph_place, paragraph, "qas"):
                yield {
                    "id": str(question.get("id") or question_place),
                    "title": title,
                    "context": context,
                    "question": _text(place, question_place, question, "question"),
                    "answers": question.get("answers", []),
                    NONE_THERE: question.get(NONE_THERE, False),
                }


def _listed(place: str, within: str, content: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list that is a field of an object, and where each stands in the file."""
    path = f"{within}.{name}".lstrip(".")
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise UserError(place, f"has no list {path}; files of questions look like {FORM}")
    for number, entry in enumerate(found):
        if not isinstance(entry, dict):
            raise UserError(place, f"{path}[{number}] is no object; files of questions look like {FORM}")
        yield f"{path}[{number}]", entry


def _text(place: str, within: str, content: dict[str, Any], name: str) -> str:
    text = content.get(name)
    if not isinstance(text, str):
        raise UserError(place, f"{within} has no text {name!r}; give it one")
    return text
