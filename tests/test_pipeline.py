from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distiller import Pipeline, UserError
from distiller.mapping import Explicit
from distiller.objectives.prediction import CE, KL, MSE

LEAST: dict[str, Any] = {
    "data": {"source": "asset:trec"},
    "teacher": {"model": "asset:minilm-l6"},
    "student": {"layers": [0, 2, 4]},
}


def _read(content: dict[str, Any], *changes: str) -> Pipeline:
    return Pipeline.from_text(yaml.safe_dump(content), "pipeline.yaml", list(changes))


def test_defaults_are_those_of_the_design() -> None:
    pipeline = _read(LEAST)
    assert pipeline.task == "classification"
    assert pipeline.seed == 0
    assert pipeline.data.max_length == 128
    assert pipeline.data.splits.model_dump() == {"train": "train", "validation": "validation", "test": None}
    assert pipeline.teacher.finetune is not None
    assert (pipeline.teacher.finetune.epochs, pipeline.teacher.finetune.learning_rate) == (3, 5e-5)
    assert pipeline.student.init == "pretrained"
    assert pipeline.mapping.type == "skip"
    assert pipeline.objective.hard_label.weight == 0.0
    assert (pipeline.training.epochs, pipeline.training.batch_size, pipeline.training.learning_rate) == (3, 32, 1e-4)
    assert pipeline.training.precision == "auto"


@given(
    st.fixed_dictionaries(
        {
            "seed": st.integers(0, 2**32 - 1),
            "training": st.fixed_dictionaries(
                {"learning_rate": st.floats(1e-8, 1), "epochs": st.integers(1, 99), "warmup": st.floats(0, 0.99)}
            ),
            "objective": st.fixed_dictionaries(
                {
                    "prediction": st.sampled_from([{"type": "kl", "temperature": 3.0}, {"type": "mse"}]),
                    "intermediate": st.sampled_from([None, {"type": "cos", "weight": 0.5}, {"type": "pkd"}]),
                }
            ),
            "mapping": st.sampled_from([{"type": "last"}, {"type": "explicit", "pairs": [[0, 0], [1, 2, 0.5]]}]),
        }
    )
)
def test_yaml_gives_back_the_pipeline_that_was_written(content: dict[str, Any]) -> None:
    pipeline = _read({**LEAST, **content})
    assert Pipeline.from_text(pipeline.to_yaml(), "again") == pipeline


def test_every_field_is_spelled_out_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    _read(LEAST).to_yaml(path)
    assert yaml.safe_load(path.read_text())["training"]["gradient_clip"] == 1.0
    assert Pipeline.from_yaml(path) == _read(LEAST)


def test_changes_reach_fields_that_the_file_does_not_mention() -> None:
    pipeline = _read(LEAST, "training.epochs=7", "teacher.finetune=null", "student.layers=[1, 3]", "data.limit=50")
    assert pipeline.training.epochs == 7
    assert pipeline.teacher.finetune is None
    assert pipeline.student.layers == [1, 3]
    assert pipeline.data.limit == 50


def test_a_change_below_a_field_that_is_left_out_goes_on_top_of_its_default() -> None:
    pipeline = _read(LEAST, "objective.prediction.temperature=4", "mapping.type=explicit", "mapping.pairs=[[0, 0]]")
    assert pipeline.objective.prediction == KL(temperature=4.0)
    assert pipeline.mapping == Explicit(pairs=[(0, 0)])
    assert _read(LEAST, "mapping.pairs=[[0, 0]]", "mapping.type=explicit").mapping == pipeline.mapping
    assert _read(LEAST, "objective.prediction.type=ce").objective.prediction == CE()
    with pytest.raises(UserError, match="mapping: unknown field 'pairs'"):
        _read(LEAST, "mapping.pairs=[[0, 0]]")


@pytest.mark.parametrize("changes", [["task=regression"], ["objective.hard_label.weight=1", "task=regression"]])
def test_the_default_that_a_change_goes_on_top_of_is_that_of_the_task(changes: list[str]) -> None:
    assert _read(LEAST, "objective.prediction.weight=0.5", *changes).objective.prediction == MSE(weight=0.5)


def test_a_change_below_a_field_that_is_there_goes_on_top_of_that() -> None:
    there = {**LEAST, "objective": {"prediction": {"type": "ce"}}}
    assert _read(there, "objective.prediction.temperature=4").objective.prediction == CE(temperature=4.0)
    off = {**LEAST, "objective": {"prediction": None, "hard_label": {"weight": 1.0}}}
    with pytest.raises(UserError, match=r"objective\.prediction: needs a 'type'"):
        _read(off, "objective.prediction.temperature=4")


def test_scientific_notation_without_a_point_is_a_number() -> None:
    assert _read(LEAST, "training.learning_rate=5e-5").training.learning_rate == 5e-5


def test_regression_learns_from_the_teachers_numbers_by_mse_unless_told_otherwise() -> None:
    assert _read({**LEAST, "task": "regression"}).objective.prediction.type == "mse"  # type: ignore[union-attr]
    told = {**LEAST, "task": "regression", "objective": {"prediction": None, "hard_label": {"weight": 1.0}}}
    assert _read(told).objective.prediction is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.epoch=3", "pipeline.yaml: training: unknown field 'epoch'; did you mean 'epochs'?"),
        ("objective.prediction={type: kll}", "objective.prediction: unknown type 'kll'; did you mean 'kl'?"),
        (
            "objective.intermediate={type: mse, wieght: 1}",
            "objective.intermediate: unknown field 'wieght'; did you mean",
        ),
        ("objective.prediction={temperature: 2}", "objective.prediction: needs a 'type'"),
        ("mapping={type: skp}", "mapping: unknown type 'skp'; did you mean 'skip'?"),
        ("task=ner", "task: unknown value 'ner'; known: classification, regression"),
        ("student.layers=[]", "student.layers: give at least 1, not []"),
        ("data.text=[a, b, c]", "data.text: give at most 2, not ['a', 'b', 'c']"),
        ("task=clasification", "task: unknown value 'clasification'; did you mean 'classification'?"),
        ("training.epochs=0", "training.epochs: Input should be greater than or equal to 1"),
        ("training.learning_rate=fast", "training.learning_rate: Input should be a valid number"),
        ("training.learning_rate=.nan", "training.learning_rate: "),
        ("data=null", "data: "),
        ("nonsense", "write dotted.key=value"),
        ("seed.deep=1", "--set seed.deep=1"),
        ("a..b=1", "write dotted.key=value"),
        ("seed=[", "not valid YAML"),
        ("seed=2024-13-45", "--set seed=2024-13-45: the value is not valid YAML: month must be in 1..12"),
        ("seed=0x_", "--set seed=0x_: the value is not valid YAML"),
        ("seed=!!bool maybe", "the value is not valid YAML"),
        ("seed=!!timestamp now", "the value is not valid YAML"),
        ("data.limit=" + "[" * 5000, "the value is not valid YAML"),
        ("mapping={type: skip, type: last}", "the key 'type' is there twice, again in line 1; remove one"),
    ],
)
def test_a_wrong_field_is_one_line_that_names_it_and_the_mend(change: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        _read({**LEAST, "seed": 1}, change)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"data: [", "not valid YAML"),
        (b"", "holds no fields"),
        (b"- 1", "holds no fields"),
        (b"seed: 1", "data: Field required (wrong as well: teacher, student)"),
        (b"task: \xff", "not UTF-8"),
        (b"seed: 2024-13-45", "not valid YAML: month must be in 1..12"),
        (b"seed: 0x_", "not valid YAML"),
        (b"seed: 1\ntask: regression\nseed: 2\n", "the key 'seed' is there twice, again in line 3; remove one"),
        (b"seed: 1\ntask: regression\n'seed': 2\n", "the key 'seed' is there twice, again in line 3; remove one"),
        (b"training:\n  epochs: 1\n  warmup: 0\n  epochs: 2\n", "'epochs' is there twice, again in line 4; remove one"),
        (b"seed: !!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        Pipeline.from_yaml(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_key_that_overrides_a_merged_one_is_not_there_twice() -> None:
    text = """
data: {source: asset:trec}
student: {layers: [0]}
teacher: {model: asset:minilm-l6, finetune: &other {<<: &one {epochs: 5, warmup: 0.0}, epochs: 7}}
training: {<<: *other, epochs: 9}
"""
    pipeline = Pipeline.from_text(text, "pipeline.yaml")
    assert pipeline.teacher.finetune is not None
    assert (pipeline.teacher.finetune.epochs, pipeline.training.epochs) == (7, 9)
    assert pipeline.training.warmup == 0.0


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pipline.yaml", "; did you mean 'pipeline.yaml'?"),
        ("other.yml", "; did you mean 'others.yml'?"),
        ("x", ""),
        ("no/folder/pipeline.yaml", ""),
    ],
)
def test_a_file_that_is_not_there_is_named_with_the_near_one(tmp_path: Path, name: str, hint: str) -> None:
    for there in ("pipeline.yaml", "others.yml", "absent.csv"):
        (tmp_path / there).touch()
    with pytest.raises(UserError) as caught:
        Pipeline.from_yaml(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: cannot be read: No such file or directory{hint}"


def test_one_column_of_texts_needs_no_list() -> None:
    assert _read(LEAST, "data.text=subject").data.text == ["subject"]
    assert _read(LEAST, "data.text=[subject, body]").data.text == ["subject", "body"]
    assert _read(LEAST).data.text is None
