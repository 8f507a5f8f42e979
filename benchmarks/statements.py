"""Pairs of a passage and a statement, made of questions, their passages and their answers, as RTE's own pairs were.

A part of RTE was made of the answers of question answering systems (Dagan et al. 2006, "The PASCAL Recognising Textual
Entailment Challenge"); Demszky et al. 2018 (arXiv 1809.02922) made pairs of SQuAD's questions. The answer takes the
place of what the question asks for. What is asked with an answer follows from the sentence that has the answer; what
is asked with another answer of the passage does not, nor a question without an answer with the one that looks like it.

They are for learning before another task, and not to be judged by: some of the other answers are right in other words
("Maxwell" for "James Clerk Maxwell"), more than half of them do not occur in the sentences beside them, which a model
may learn to look for, and the rules leave some questions half asked.
"""

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

DO = "do|does|did"
BE = "is|are|was|were|has|have|had|can|could|will|would|should|may|might|must"
ASKED = "what|which|who|whom|when|where|how"
KIND = "year|century|country|city|type|kind|person"
NOUN = r"(?:\w+ ){1,3}?"
RULES = (
    (rf"(?:who|what) ({BE}) (.*)", "{answer} {0} {1}"),
    (rf"(?:when|where) (?:{DO}) (.*)", "{0} in {answer}"),
    (rf"(?:when|where) ({BE}) (.*)", "{1} {0} in {answer}"),
    (rf"how (?:{DO}) (.*)", "{0} by {answer}"),
    (rf"why (?:{DO}) (.*)", "{0} because of {answer}"),
    (rf"(in|on|at) (?:what|which) \w+ (?:{DO}) (.*)", "{1} {0} {answer}"),
    (rf"(?:what|which|who|whom) (?:{NOUN})?(?:{DO}) (.*)", "{0} {answer}"),
    (rf"how (?:many|much) ({NOUN})(?:{DO}) (.*)", "{1} {answer} {0}"),
    (r"how (?:many|much) (.*)", "{answer} {0}"),
    (rf"(?:what|which) {NOUN}({BE}) (.*)", "{answer} {0} {1}"),
    (rf"(.*?)\b(?:{ASKED})\b(?: (?:{KIND})\b)?(.*)", "{0}{answer}{1}"),
    (r"(.*)", "{0}: {answer}"),
)
"""What a question looks like, and the statement that it becomes; the first that fits is taken."""
PREPOSITIONS = r"\b(?:in|by|on|at|because of) (?=(?:in|on|at|by|from|to|after|before|during|since|because)\b)"


class Pair(NamedTuple):
    """A row: does the second follow from the first?"""

    sentence1: str
    sentence2: str
    label: str


TEXTS = [*Pair._fields[:2]]


class Answer(NamedTuple):
    """What a question is answered with, where that begins in the passage, and whether it is one."""

    text: str
    start: int
    right: bool


def statement(question: str, answer: str) -> str:
    """What is said when a question is asked and answered."""
    asked = " ".join(question.split()).rstrip("? ")
    fitting = ((re.fullmatch(pattern, asked, re.IGNORECASE), template) for pattern, template in RULES)
    match, template = next((match, template) for match, template in fitting if match)
    said = re.sub(PREPOSITIONS, "", template.format(*match.groups(), answer=answer), count=1, flags=re.IGNORECASE)
    said = " ".join(said.split())
    return f"{said[:1].upper()}{said[1:]}."


def pairs(content: Mapping[str, Any], seed: int) -> list[Pair]:
    """All that can be made of data in SQuAD's format, in an order that is drawn."""
    draw = random.Random(seed)
    passages = (passage for article in content["data"] for passage in article["paragraphs"])
    found = [pair for passage in passages for pair in of_passage(passage["context"], passage["qas"], draw)]
    drawn = [*dict.fromkeys(found)]
    draw.shuffle(drawn)
    return drawn


def of_passage(context: str, questions: list[dict[str, Any]], draw: random.Random) -> Iterator[Pair]:
    """Each question with its answer, and with another that could be taken for it."""
    asked = [(each["question"], answer) for each in questions if (answer := answer_of(each))]
    for question, answer in asked:
        premise = around(context, answer.start, draw)
        yield Pair(premise, statement(question, answer.text), "entailment" if answer.right else "not_entailment")
        others = [other.text for _, other in asked if alike(other.text, answer.text)]
        if answer.right and others:
            yield Pair(premise, statement(question, draw.choice(others)), "not_entailment")


def answer_of(question: dict[str, Any]) -> Answer | None:
    """The first answer, or what looks like one; None if there is neither."""
    known = question["answers"] or question.get("plausible_answers") or []
    return Answer(known[0]["text"], known[0]["answer_start"], bool(question["answers"])) if known else None


def alike(other: str, answer: str) -> bool:
    """Whether one answer could be taken for another that it is not: both are numbers, names or neither."""
    looks = [(text[:1].isdigit(), text[:1].isupper()) for text in (other, answer)]
    return looks[0] == looks[1] and other.lower() != answer.lower()


def around(context: str, start: int, draw: random.Random) -> str:
    """The sentence that a character is in, at times with one or two beside it."""
    begins = [0, *(match.end() for match in re.finditer(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])", context))]
    sentences = [context[begin:end].strip() for begin, end in zip(begins, [*begins[1:], len(context)], strict=True)]
    at = max(place for place, begin in enumerate(begins) if begin <= start)
    length = draw.choice([1, 1, 2, 3])
    first = max(0, at - draw.randrange(length))
    return " ".join(sentences[first : first + length])
