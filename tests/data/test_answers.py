"""Answers and the files of SQuAD: what is read, how it is cut, and what is wrong by question."""

import json
from pathlib import Path
from typing import Any

import pytest

from distiller.data import DataConfig, load
from distiller.data.answers import answers_of
from distiller.data.rows import Rows
from distiller.errors import UserError
from distiller.labels import Answer

CONTEXT = "The Rhine is a river. It ends in the sea."


def _rows(answers: list[Any], **columns: list[Any]) -> Rows:
    count = len(answers)
    content = {"question": ["what?"] * count, "context": [CONTEXT] * count, "answers": answers, **columns}
    return Rows("the file", "line", [10, 20, 30][:count], content, typed=True)


def _read(rows: Rows) -> list[tuple[Answer, ...]]:
    return answers_of(rows, "answers", [("what?", CONTEXT)] * len(rows.numbers))


def test_answers_are_read_in_the_shapes_of_the_hub_and_of_squad_and_as_json() -> None:
    of_the_hub = {"text": ["a river", "river"], "answer_start": [13, 15]}
    of_squad = [{"text": "a river", "answer_start": 13}, {"text": "river", "answer_start": 15}]
    expected = (Answer(13, "a river"), Answer(15, "river"))
    assert _read(_rows([of_the_hub, of_squad, json.dumps(of_squad)])) == [expected] * 3
    assert _read(_rows([{"text": [], "answer_start": []}, [], "[]"])) == [()] * 3


def test_an_answer_that_several_people_gave_counts_once() -> None:
    assert _read(_rows([{"text": ["river", "river"], "answer_start": [15, 15]}])) == [(Answer(15, "river"),)]


@pytest.mark.parametrize(
    ("answers", "more", "message"),
    [
        (
            {"text": ["river"], "answer_start": [14]},
            {},
            "says 'river' at character 14, where the text has ' rive' (line 10): it stands at 15",
        ),
        (
            {"text": ["lake"], "answer_start": [500]},
            {},
            "says 'lake' at character 500, where the text has 'no text' (line 10): the text does not hold it: correct",
        ),
        ({"text": ["river"]}, {}, 'holds no answers (line 10): write {"text": ["…"], "answer_start": [0]}, or empty'),
        (None, {}, "holds no answers (line 10)"),
        ([{"text": "", "answer_start": 3}], {}, "holds no answers (line 10)"),
        (
            {"text": [], "answer_start": []},
            {"is_impossible": [False]},
            "has no answer (line 10): give one, or is_impossible: true as in SQuAD v2",
        ),
        (
            {"text": ["river"], "answer_start": [15]},
            {"is_impossible": [True]},
            "has answers where is_impossible is true (line 10): remove them, or set is_impossible to false",
        ),
    ],
)
def test_what_is_wrong_is_named_by_row_with_the_mend(answers: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refusal:
        _read(_rows([answers], **more))
    assert f"the file: column 'answers' {message}" in str(refusal.value)


def _article(title: str, contexts: int, **question: Any) -> dict[str, Any]:
    paragraphs = []
    for number in range(contexts):
        context = f"{title} {number} is a river."
        qas = [
            {
                "id": f"{title}{number}{which}",
                "question": f"{which} is what?",
                "answers": [{"text": "a river", "answer_start": context.index("a river")}],
                **question,
            }
            for which in "ab"
        ]
        paragraphs.append({"context": context, "qas": qas})
    return {"title": title, "paragraphs": paragraphs}


def _write(path: Path, *articles: Any) -> Path:
    path.write_text(json.dumps({"version": "1.1", "data": [*articles]}))
    return path


def _load(source: Path, **changes: Any) -> Any:
    return load(DataConfig(source=str(source), **changes), "answers", 0)


def test_questions_about_one_text_are_never_parted(tmp_path: Path) -> None:
    dataset = _load(_write(tmp_path / "squad.json", _article("Rhine", 30)))
    splits = [{context for _, context in split.texts} for split in (dataset.train, dataset.validation, dataset.test)]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 30
    assert all(split.names and len(split.names) == len(split) for split in (dataset.train, dataset.test))
    assert dataset.columns.text == ["question", "context"]
    assert dataset.describe()["n_answered"] == len(dataset.train)
    assert dataset.classes is None


def test_the_official_names_of_files_are_splits(tmp_path: Path) -> None:
    _write(tmp_path / "train-v1.1.json", _article("Rhine", 20))
    _write(tmp_path / "dev-v1.1.json", _article("Elbe", 3))
    dataset = _load(tmp_path)
    assert len(dataset.validation) == 6
    assert all("Elbe" in context for _, context in dataset.validation.texts)


def test_real_files_are_read_whole(shared_data: Path) -> None:
    """The numbers are those of the folder's README."""
    dataset = _load(shared_data / "squad" / "squad-v2-dev-half.json")
    everything = [dataset.train, dataset.validation, dataset.test]
    assert sum(map(len, everything)) == 6078
    assert sum(bool(answers) for split in everything for answers in split.labels) == 2910
    assert sum(map(len, (split.texts for split in _of(shared_data / "squad" / "xquad-en.json")))) == 1190


def _of(source: Path) -> list[Any]:
    dataset = _load(source)
    return [dataset.train, dataset.validation, dataset.test]


def test_a_v1_question_without_an_answer_is_named(tmp_path: Path) -> None:
    article = _article("Rhine", 3)
    article["paragraphs"][1]["qas"][0]["answers"] = []
    with pytest.raises(UserError) as refusal:
        _load(_write(tmp_path / "squad.json", article))
    assert "has no answer (question Rhine1a): give one, or is_impossible: true as in SQuAD v2" in str(refusal.value)


@pytest.mark.parametrize(("contexts", "each"), [(8, 50), (5, 200), (15, 6), (20, 8), (3, 4)])
def test_few_contexts_with_many_questions_each_are_cut_too(tmp_path: Path, contexts: int, each: int) -> None:
    rows = [
        {"question": f"{number}?", "context": f"context {context} is here", "answers": {"text": [], "answer_start": []}}
        for context in range(contexts)
        for number in range(each)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = _load(tmp_path / "train.jsonl")
    sizes = [len({text for _, text in split.texts}) for split in (dataset.train, dataset.validation, dataset.test)]
    assert sum(sizes) == contexts
    assert min(sizes) >= 1


def test_names_that_are_lacking_are_none_and_those_that_come_again_are_refused(tmp_path: Path) -> None:
    rows = [
        {"id": name, "question": "?", "context": f"{name} {row}", "answers": {"text": [], "answer_start": []}}
        for row, name in enumerate([None, "", "a", 3] * 10)
    ]
    unique = [{**row, "id": None if row["id"] == "a" else row["id"] and f"{place}"} for place, row in enumerate(rows)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, unique)))
    assert "" in (_load(tmp_path / "train.jsonl").train.names or [])
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(
        UserError, match=r"column 'id' holds a name that is there before \(lines 7, 8, 11, 12, 15 and 13"
    ):
        _load(tmp_path / "train.jsonl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", 'has no list data; files of questions look like {"data": [{"paragraphs": [{"context"'),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', "data[0].paragraphs[0] has no text 'context'; give it one"),
        ('{"data": [{"paragraphs": [3]}]}', "data[0].paragraphs[0] is no object"),
        ('{"data": [{"paragraphs": [{"context": "a", "qas": [{"id": "1"}]}]}]}', "qas[0] has no text 'question'"),
        ('{"data": []}', "has no questions; give a file with some"),
        ('{"text": "a"}\n{"text": "b"}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_the_place(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "squad.json").write_text(content)
    with pytest.raises(UserError, match=r"squad\.json: ") as refusal:
        _load(tmp_path / "squad.json")
    assert message in str(refusal.value)


def test_two_questions_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two questions have the id 'Rhine0a'; give each its own"):
        _load(_write(tmp_path / "squad.json", _article("Rhine", 1), _article("Rhine", 1)))


def test_another_task_is_told_which_it_should_be(tmp_path: Path) -> None:
    source = str(_write(tmp_path / "squad.json", _article("Rhine", 3)))
    with pytest.raises(UserError, match=r"task: the labels of .* are answers; set task: question-answering"):
        load(DataConfig(source=source), "classes", 0)
    for name in ("train.csv", "train.json"):
        (tmp_path / "both").mkdir(exist_ok=True)
        (tmp_path / "both" / name).write_text("text,label\n" + "a,x\nb,y\n" * 30)
    with pytest.raises(UserError, match=r"train\.csv|has too few"):  # the table is read, not what lies beside it
        load(DataConfig(source=str(tmp_path / "both")), "classes", 0)
    (tmp_path / "train.conll").write_text("Rhine\tB-river\nis\tO\n")
    with pytest.raises(UserError, match=r"task: the labels of .* are tags; set task: token-classification"):
        load(DataConfig(source=str(tmp_path / "train.conll")), "answers", 0)


def test_one_column_of_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.text: 'question' is one column, and question-answering takes two"):
        _load(_write(tmp_path / "squad.json", _article("Rhine", 20)), text=["question"])


def test_a_test_split_without_any_answer_is_withheld(tmp_path: Path) -> None:
    _write(tmp_path / "train.json", _article("Rhine", 30))
    _write(tmp_path / "test.json", _article("Elbe", 2, answers=[]))
    dataset = _load(tmp_path)
    assert all("Rhine" in context for _, context in dataset.test.texts)
