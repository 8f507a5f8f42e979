import pytest
from transformers import BertConfig

from distiller import models
from distiller.errors import UserError


def _config(names: list[str]) -> BertConfig:
    return BertConfig(id2label=dict(enumerate(names)), label2id={name: index for index, name in enumerate(names)})


def test_a_teacher_that_names_its_classes_decides_their_order() -> None:
    assert models.classes_in_order_of(_config(["POSITIVE", "NEGATIVE"]), ["negative", "positive"], "x") == [
        "positive",
        "negative",
    ]


def test_a_teacher_that_numbers_its_classes_has_the_order_of_the_data() -> None:
    assert models.classes_in_order_of(_config(["LABEL_0", "LABEL_1"]), ["no", "yes"], "x") == ["no", "yes"]


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a", "x"]])
def test_a_teacher_of_other_classes_is_refused(names: list[str]) -> None:
    with pytest.raises(UserError, match=r"teacher\.model: .*the data"):
        models.classes_in_order_of(_config(names), ["a", "b"], "teacher.model")


def test_numbers_need_one_output() -> None:
    assert models.classes_in_order_of(_config(["LABEL_0"]), None, "x") is None
    with pytest.raises(UserError, match="x: it has 2 outputs, and numbers need 1"):
        models.classes_in_order_of(_config(["LABEL_0", "LABEL_1"]), None, "x")
