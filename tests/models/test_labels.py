import pytest
from transformers import BertConfig

from distiller import models
from distiller.errors import UserError


def _config(names: list[str]) -> BertConfig:
    return BertConfig(id2label=dict(enumerate(names)), label2id={name: index for index, name in enumerate(names)})


def test_a_teacher_that_names_its_classes_decides_their_order() -> None:
    assert models.classes_in_teacher_order(_config(["POSITIVE", "NEGATIVE"]), ["negative", "positive"]) == [
        "positive",
        "negative",
    ]


def test_a_teacher_that_numbers_its_classes_has_the_order_of_the_data() -> None:
    assert models.classes_in_teacher_order(_config(["LABEL_0", "LABEL_1"]), ["no", "yes"]) == ["no", "yes"]


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a", "x"]])
def test_a_teacher_of_other_classes_is_refused(names: list[str]) -> None:
    with pytest.raises(UserError, match=r"teacher\.model: .*the data"):
        models.classes_in_teacher_order(_config(names), ["a", "b"])
