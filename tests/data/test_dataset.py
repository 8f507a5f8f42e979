import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distiller.data import DataConfig, Splits, load
from distiller.errors import UserError
from distiller.schema import validated

Writer = Callable[..., str]


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    """Write rows as a CSV file and give its path."""

    def write(name: str, rows: list[tuple[str, ...]], header: str = "text,label") -> str:
        path = tmp_path / f"{name}.csv"
        path.write_text(header + "\n" + "".join(",".join(row) + "\n" for row in rows))
        return str(path)

    return write


def _rows(count: int, classes: int = 2, prefix: str = "text") -> list[tuple[str, ...]]:
    return [(f"{prefix} {row}", f"class {row % classes}") for row in range(count)]


def _refusal(config: DataConfig, labels: Any = "classes") -> str:
    with pytest.raises(UserError) as refusal:
        load(config, labels, seed=0)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_trec_is_cut_into_three_parts_that_share_no_text() -> None:
    dataset = load(DataConfig(source="asset:trec"), "classes", seed=0)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 5381
    assert len(dataset.test) == 538
    assert dataset.classes == ["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"]
    assert set(dataset.validation.labels or []) == set(dataset.test.labels or []) == set(dataset.classes)
    assert dataset.overlap == {"train/validation": 0, "train/test": 0, "validation/test": 0}
    assert dataset.metric is None


def test_the_same_seed_gives_the_same_dataset_and_another_another() -> None:
    config = DataConfig(source="asset:trec", limit=100)
    first, again, other = (load(config, "classes", seed) for seed in (0, 0, 1))
    assert first == again
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.test.texts != other.test.texts


def test_a_limit_does_not_touch_validation_and_test() -> None:
    whole = load(DataConfig(source="asset:trec"), "classes", seed=4)
    few = load(DataConfig(source="asset:trec", limit=60), "classes", seed=4)
    assert len(few.train) == 60
    assert few.validation == whole.validation
    assert few.test == whole.test
    assert set(few.train.texts) <= set(whole.train.texts)
    assert set(few.train.labels or []) == set(whole.classes or [])


def test_rest_is_what_the_limit_leaves_of_train_without_labels() -> None:
    whole = load(DataConfig(source="asset:trec"), "classes", seed=4)
    dataset = load(DataConfig(source="asset:trec", limit=60, unlabelled="rest"), "classes", seed=4)
    assert dataset.unlabelled is not None
    assert dataset.unlabelled.labels is None
    assert Counter(dataset.train.texts + dataset.unlabelled.texts) == Counter(whole.train.texts)


def test_rest_without_a_limit_is_refused() -> None:
    assert "data.limit" in _refusal(DataConfig(source="asset:trec", unlabelled="rest"))


def test_a_limit_below_the_number_of_classes_is_refused() -> None:
    message = _refusal(DataConfig(source="asset:trec-fine", limit=49))
    assert message == "data.limit: 49 examples cannot show 50 classes; raise it to that or more"


def test_unlabelled_texts_come_from_another_source_and_need_no_labels(written: Writer) -> None:
    source = written("train", _rows(40))
    more = written("more", [("one more",), ("text 3",)], header="text")
    dataset = load(DataConfig(source=source, unlabelled=more), "classes", seed=0)
    assert dataset.unlabelled is not None
    assert dataset.unlabelled.texts == [("one more",), ("text 3",)]
    assert dataset.unlabelled.labels is None
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 40


def test_an_asset_as_unlabelled_source_brings_its_own_columns(written: Writer) -> None:
    source = written("train", _rows(40), header="question,class")
    config = DataConfig(source=source, text=["question"], label="class", unlabelled="asset:sms-spam")
    dataset = load(config, "classes", seed=0)
    assert dataset.unlabelled is not None
    assert len(dataset.unlabelled) == 4837


def test_a_column_that_the_user_chose_is_read_from_the_unlabelled_source_too(shared_data: Path) -> None:
    rte = str(shared_data / "glue" / "RTE")
    dataset = load(DataConfig(source=rte, text=["sentence1"], unlabelled=rte), "classes", seed=0)
    assert dataset.unlabelled is not None
    assert dataset.unlabelled.texts[: len(dataset.train)]
    assert all(len(text) == 1 for text in dataset.unlabelled.texts)
    assert set(dataset.train.texts) <= set(dataset.unlabelled.texts)


def test_the_labelled_datas_own_columns_are_read_from_an_unlabelled_file(written: Writer, shared_data: Path) -> None:
    more = written("more", [("one", "other")], header="sentence1,sentence2")
    dataset = load(DataConfig(source=str(shared_data / "glue" / "RTE"), unlabelled=more), "classes", seed=0)
    assert dataset.unlabelled is not None
    assert dataset.unlabelled.texts == [("one", "other")]


def test_an_unlabelled_source_is_read_from_the_split_that_is_called_as_in_the_labelled_data(
    tmp_path: Path, written: Writer
) -> None:
    written("training", _rows(40))
    config = DataConfig(source=str(tmp_path), splits=Splits(train="training"), unlabelled=str(tmp_path))
    unlabelled = load(config, "classes", seed=0).unlabelled
    assert unlabelled is not None
    assert len(unlabelled) == 40
    more = written("more", [("one more",)], header="text")
    dataset = load(config.replace(unlabelled=more), "classes", seed=0)
    assert dataset.unlabelled is not None
    assert dataset.unlabelled.texts == [("one more",)]


def test_an_unlabelled_source_without_that_split_is_refused_with_a_mend_that_leaves_the_labelled_data(
    tmp_path: Path, written: Writer
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "reviews.csv").write_text("text\none more\n")
    message = _refusal(DataConfig(source=written("train", _rows(40)), unlabelled=str(tmp_path / "texts")))
    assert message == (
        f"data.unlabelled: {tmp_path / 'texts'} has no split train, only reviews; give one that has, or a file"
    )


def test_an_unlabelled_source_without_the_column_is_refused_by_its_own_field(written: Writer) -> None:
    more = written("more", [("one more",)], header="body")
    message = _refusal(DataConfig(source=written("train", _rows(40)), unlabelled=more))
    assert message == (
        f"data.unlabelled: {more} has no column text, only body; "
        "name columns that both have with data.text, or give another source"
    )


def test_pairs_need_unlabelled_pairs(written: Writer, shared_data: Path) -> None:
    config = DataConfig(source=str(shared_data / "glue" / "RTE"), unlabelled=written("more", [("x",)], header="text"))
    message = _refusal(config)
    assert message.startswith("data.unlabelled: its text is text, that of the labelled data sentence1 and sentence2")
    assert "data.text" in message


def test_blank_unlabelled_texts_are_refused(written: Writer) -> None:
    config = DataConfig(source=written("train", _rows(40)), unlabelled=written("more", [("x",), (" ",)], header="text"))
    assert "more.csv: column 'text' is empty (line 3)" in _refusal(config)


def test_overlap_counts_distinct_texts_that_are_in_two_splits(tmp_path: Path, written: Writer) -> None:
    written("train", [*_rows(30), ("shared", "class 0"), ("shared", "class 0"), ("both", "class 1")])
    written("validation", [("shared", "class 0"), ("both", "class 1"), ("own", "class 1")])
    written("test", [("both", "class 1"), ("own", "class 1")])
    more = written("more", [("own",), ("own",), ("elsewhere",)], header="text")
    config = DataConfig(source=str(tmp_path), splits=Splits(test="test"), unlabelled=more)
    assert load(config, "classes", seed=0).overlap == {
        "train/validation": 2,
        "train/test": 1,
        "unlabelled/validation": 1,
        "unlabelled/test": 1,
        "validation/test": 2,
    }


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10", "9", "-1"], ["-1", "9", "10"]),
        (["10", "9", "a"], ["10", "9", "a"]),
        (["b", "B", "a"], ["B", "a", "b"]),
        (["1.5", "10", "v1"], ["1.5", "10", "v1"]),
        (["1", "0001", "000001", "01", "00001", "001"], ["000001", "00001", "0001", "001", "01", "1"]),
    ],
)
def test_classes_are_sorted_as_whole_numbers_or_as_text(written: Writer, names: list[str], order: list[str]) -> None:
    source = written("train", [(f"text {row}", names[row % len(names)]) for row in range(120)])
    assert load(DataConfig(source=source), "classes", seed=0).classes == order


def test_numbers_with_fractions_are_no_classes(written: Writer) -> None:
    source = written("train", [(f"text {row}", f"{row % 7 / 2}") for row in range(120)])
    with pytest.raises(UserError, match=r"has the label 0\.5, a number with a fraction: set task: regression, or name"):
        load(DataConfig(source=source), "classes", seed=0)


def test_one_class_only_is_refused(written: Writer) -> None:
    message = _refusal(DataConfig(source=written("train", _rows(30, classes=1))))
    assert "train.csv: has one class only ('class 0')" in message
    assert "add examples of another" in message


def test_a_class_that_only_validation_has_is_refused(tmp_path: Path, written: Writer) -> None:
    written("train", _rows(30))
    written("validation", [("x", "class 0"), ("y", "clas 1")])
    message = _refusal(DataConfig(source=str(tmp_path)))
    assert "validation.csv: column 'label' holds the label 'clas 1', which no training example has (line 3)" in message


@pytest.mark.parametrize("labels", ["classes", "numbers"])
def test_too_few_examples_to_cut_from_are_refused(written: Writer, labels: str) -> None:
    source = written("train", [("x", "1"), ("y", "2")])
    message = _refusal(DataConfig(source=source), labels)
    assert "train.csv: has too few different training texts to cut a" in message
    assert "add some, or name a split" in message


def test_a_default_split_that_is_absent_is_cut_and_another_name_refused(written: Writer) -> None:
    source = written("train", _rows(40))
    assert len(load(DataConfig(source=source), "classes", seed=0).validation) > 0
    message = _refusal(DataConfig(source=source, splits=Splits(validation="dev")))
    assert "unknown split 'dev'; known: train; name one in data.splits" in message


def test_a_train_split_that_is_absent_is_refused(tmp_path: Path, written: Writer) -> None:
    written("training", _rows(40))
    message = _refusal(DataConfig(source=str(tmp_path)))
    assert "unknown split 'train'; did you mean 'training'?" in message


def test_null_for_a_split_that_is_there_cuts_it_from_train(tmp_path: Path, written: Writer) -> None:
    written("train", _rows(40))
    written("validation", _rows(10, prefix="other"))
    dataset = load(DataConfig(source=str(tmp_path), splits=Splits(validation=None)), "classes", seed=0)
    assert all(text.startswith("text") for (text,) in dataset.validation.texts)


@pytest.mark.parametrize("name", ["validation", "dev", "valid", "val"])
def test_a_validation_split_of_a_customary_name_is_used(tmp_path: Path, written: Writer, name: str) -> None:
    written("train", _rows(40))
    written(name, _rows(6, prefix="held out"))
    dataset = load(DataConfig(source=str(tmp_path)), "classes", seed=0)
    assert dataset.validation.texts == [(f"held out {row}",) for row in range(6)]
    assert len(dataset.train) + len(dataset.test) == 40


def test_two_validation_splits_of_customary_names_are_refused_until_one_is_named(
    tmp_path: Path, written: Writer
) -> None:
    written("train", _rows(40))
    written("dev", _rows(6))
    written("val", _rows(8))
    config = DataConfig(source=str(tmp_path))
    assert _refusal(config) == f"{tmp_path}: has the splits dev and val; name one as data.splits.validation"
    assert len(load(config.replace(splits=Splits(validation="val")), "classes", seed=0).validation) == 8


def test_a_test_split_of_the_customary_name_is_used(tmp_path: Path, written: Writer) -> None:
    written("train", _rows(40))
    written("test", _rows(6, prefix="held out"))
    dataset = load(DataConfig(source=str(tmp_path)), "classes", seed=0)
    assert dataset.test.texts == [(f"held out {row}",) for row in range(6)]
    assert len(dataset.train) + len(dataset.validation) == 40


def test_a_split_that_has_another_part_already_is_not_the_test_split_too(tmp_path: Path, written: Writer) -> None:
    written("train", _rows(40))
    written("test", _rows(6, prefix="held out"))
    dataset = load(DataConfig(source=str(tmp_path), splits=Splits(validation="test")), "classes", seed=0)
    assert len(dataset.validation) == 6
    assert all(text.startswith("text") for (text,) in dataset.test.texts)


@pytest.mark.parametrize(("name", "part"), [("test", "test"), ("dev", "validation")])
def test_a_customary_split_without_the_label_column_is_refused_and_without_labels_cut(
    tmp_path: Path, written: Writer, name: str, part: str
) -> None:
    written("train", _rows(40))
    other = written(name, [("held out", "class 0")], header="text,lable")
    assert _refusal(DataConfig(source=str(tmp_path))) == (
        f"{other}: has no column 'label' to be the {part} split with; add it, or rename this split"
    )
    written(name, [("held out", ""), ("held out too", "")])
    dataset = load(DataConfig(source=str(tmp_path)), "classes", seed=0)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 40


def test_a_customary_split_with_a_label_that_train_never_shows_is_refused(tmp_path: Path, written: Writer) -> None:
    written("train", _rows(40))
    written("test", [("held out", "class 9")])
    assert "holds the label 'class 9', which no training example has (line 2)" in _refusal(
        DataConfig(source=str(tmp_path))
    )


def test_a_label_that_is_a_text_too_is_refused(written: Writer) -> None:
    message = _refusal(DataConfig(source=written("train", _rows(40)), text=["text", "label"]))
    assert message.startswith("data.text: column 'label' is both text and label")


def test_numbers_come_as_numbers(written: Writer) -> None:
    source = written("train", [(f"text {row}", f"{row / 4}") for row in range(40)])
    dataset = load(DataConfig(source=source), "numbers", seed=0)
    assert dataset.classes is None
    labels = [*(dataset.train.labels or []), *(dataset.validation.labels or []), *(dataset.test.labels or [])]
    assert sorted(labels) == [row / 4 for row in range(40)]


def test_the_fingerprint_sees_texts_labels_order_and_splits(written: Writer) -> None:
    rows = _rows(40)
    changes = {
        "same": rows,
        "text": [("other", "class 0"), *rows[1:]],
        "label": [("text 0", "class 1"), *rows[1:]],
        "order": [rows[1], rows[0], *rows[2:]],
    }
    prints = {name: load(DataConfig(source=written(name, change)), "classes", 0) for name, change in changes.items()}
    whole = load(DataConfig(source=written("train", rows)), "classes", 0).fingerprint
    assert prints["same"].fingerprint == whole
    assert len({dataset.fingerprint for dataset in prints.values()}) == 4


def test_unlabelled_texts_change_the_fingerprint_but_not_that_of_the_labelled(written: Writer) -> None:
    source = written("train", _rows(40))
    more = written("more", [("one more",)], header="text")
    with_more = load(DataConfig(source=source, unlabelled=more), "classes", seed=0)
    without = load(DataConfig(source=source), "classes", seed=0)
    assert with_more.fingerprint != without.fingerprint
    assert with_more.labelled_fingerprint == without.labelled_fingerprint
    assert load(DataConfig(source=source, limit=20), "classes", 0).labelled_fingerprint != without.labelled_fingerprint


def test_the_description_counts_what_is_there_and_is_json(written: Writer, tmp_path: Path) -> None:
    written("train", [("one two three", "b"), ("one", "a"), ("one two", "b")])
    written("validation", [("x", "a")])
    written("test", [("x", "b"), ("y", "b")])
    dataset = load(DataConfig(source=str(tmp_path), splits=Splits(test="test")), "classes", seed=0)
    assert json.loads(json.dumps(dataset.describe())) == {
        "source": str(tmp_path),
        "text": ["text"],
        "label": "label",
        "n_train": 3,
        "n_validation": 1,
        "n_test": 2,
        "n_unlabelled": 0,
        "n_classes": 2,
        "class_counts": {"a": 1, "b": 2},
        "mean_words": 2.0,
        "overlap": {"train/validation": 0, "train/test": 0, "validation/test": 1},
        "fingerprint": dataset.fingerprint,
    }


def test_more_than_two_text_columns_and_short_lengths_are_refused() -> None:
    with pytest.raises(ValidationError):
        DataConfig(source="x", text=["a", "b", "c"])
    with pytest.raises(UserError, match=r"the file: max_length: .*8"):
        validated(DataConfig, {"source": "x", "max_length": 4}, "the file")
    with pytest.raises(UserError, match="the file: unknown field 'limits'; did you mean 'limit'"):
        validated(DataConfig, {"source": "x", "limits": 4}, "the file")


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    load(DataConfig(source="asset:trec", limit=100, unlabelled="rest"), "classes", seed=0)
    assert capfd.readouterr() == ("", "")
