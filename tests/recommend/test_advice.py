import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distiller import Pipeline, Recommender, UserError
from distiller.recommend.advice import Advice, advise
from distiller.recommend.cost import expected_seconds
from distiller.recommend.familiarity import familiarity
from distiller.recommend.known import known_runs
from distiller.recommend.proposals import parts_of, proposals
from distiller.runs import flat
from recommend_tables import runs

BASE = Pipeline.model_validate(
    {"data": {"source": "asset:trec"}, "teacher": {"model": "asset:minilm-l6"}, "student": {"layers": [0, 2]}}
)
CONTEXT: dict[str, Any] = {
    "data": {"n_train": 3000, "n_augmented": 0, "features": {"words_mean": 13.0, "label_entropy": 0.65}},
    "teacher": {"parameters": 22e6},
    "student": {"parameters": 5e6, "layers": 2, "width": 32},
}


def describe(pipelines: Sequence[Pipeline], context: dict[str, Any] = CONTEXT) -> pd.DataFrame:
    return pd.DataFrame([dict(flat({"pipeline": each.model_dump(), **context})) for each in pipelines])


def fine(_: Pipeline) -> None:
    """Every pipeline can be run."""


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return Recommender().fit(runs())


@pytest.fixture(scope="module")
def advice(recommender: Recommender) -> Advice:
    return advise(recommender, BASE, describe, fine, 5)


def test_what_was_good_elsewhere_is_recommended_for_this_data_teacher_and_student(advice: Advice) -> None:
    first = advice.recommendations[0].pipeline
    assert first.objective.intermediate is not None
    assert first.objective.intermediate.type == "mi"
    assert first.augmentation.mixup is not None
    for each in advice.recommendations:
        assert (each.pipeline.data, each.pipeline.teacher) == (BASE.data, BASE.teacher)
        assert each.pipeline.student.layers == BASE.student.layers


def test_the_best_come_first_with_intervals_around_them(advice: Advice) -> None:
    expected = [each.expected for each in advice.recommendations]
    assert len(expected) == 5
    assert expected == sorted(expected, reverse=True)
    assert all(each.low < each.expected < each.high for each in advice.recommendations)


def test_recommendations_differ_in_two_parts_at_least(advice: Advice) -> None:
    for one, other in itertools.combinations([parts_of(each.pipeline) for each in advice.recommendations], 2):
        assert sum(one[name] != other[name] for name in one) >= 2


def test_reasons_name_parts_and_known_datasets_with_their_runs(advice: Advice) -> None:
    said = " ".join(advice.recommendations[0].reasons)
    assert "its mixup: +" in said or "its loss between layers: +" in said
    assert "runs with its losses stand above" in said
    assert advice.notes[0].startswith("Most like data-3 of 8 known datasets")


def test_pipelines_that_cannot_be_run_are_passed_over(recommender: Recommender) -> None:
    def no_mixup(pipeline: Pipeline) -> None:
        if pipeline.augmentation.mixup is not None:
            raise UserError("augmentation.mixup", "not with this teacher")

    found = advise(recommender, BASE, describe, no_mixup, 3).recommendations
    assert found
    assert all(each.pipeline.augmentation.mixup is None for each in found)


def test_if_none_can_be_run_it_says_why(recommender: Recommender) -> None:
    def never(_: Pipeline) -> None:
        raise UserError("teacher.model", "is damaged")

    with pytest.raises(UserError, match="damaged"):
        advise(recommender, BASE, describe, never, 3)


def test_proposals_are_known_pipelines_and_new_ones_of_their_parts() -> None:
    known = runs()
    found = proposals(BASE, known, np.random.default_rng(0))
    parts = [parts_of(pipeline) for pipeline in found]
    assert len({tuple(each.items()) for each in parts}) == len(parts)
    between = {pipeline.objective.intermediate.type for pipeline in found if pipeline.objective.intermediate}
    assert between == {"mi", "mse", "cos", "pkd"}
    assert {pipeline.training.epochs for pipeline in found} == {1, 2, 3}
    assert {pipeline.training.learning_rate for pipeline in found} == {1e-3}


def test_parts_that_fit_no_pipeline_with_this_base_are_left_out() -> None:
    known = runs().assign(**{"pipeline.objective.prediction.type": "unheard-of"})
    assert proposals(BASE, known, np.random.default_rng(0)) == []


def context(words: float, entropy: float, examples: float = 3000) -> dict[str, Any]:
    features = {"words_mean": words, "label_entropy": entropy}
    return {**CONTEXT, "data": {"n_train": examples, "n_augmented": 0, "features": features}}


def test_a_dataset_unlike_all_known_is_told_and_gets_a_portfolio(recommender: Recommender) -> None:
    odd = context(900.0, -7.0, 1e7)
    found = advise(recommender, BASE, lambda pipelines: describe(pipelines, odd), fine, 4)
    assert found.notes[0].startswith("This dataset is unlike anything known")
    assert len(found.recommendations) == 4
    kinds = [each.pipeline.objective.intermediate for each in found.recommendations]
    assert kinds[0] is not None
    assert kinds[0].type in ("mi", "mse")


def test_another_task_than_all_known_is_unlike_them(recommender: Recommender) -> None:
    row = describe([BASE]).assign(**{"pipeline.task": "question-answering"})
    assert "question-answering" in str(familiarity(recommender.known, row).strange)


def test_the_nearest_dataset_is_the_one_with_the_nearest_features() -> None:
    known = known_runs(runs())
    for place in (1, 4, 6):
        like = familiarity(known, describe([BASE], context(10.2 + place, 0.51 + 0.05 * place, 500 * 2.0**place)))
        assert like.nearest[0] == f"data-{place}"
        assert like.strange is None


def test_what_cannot_be_told_is_not_told() -> None:
    known = known_runs(runs().drop(columns=["data.features.words_mean", "data.features.label_entropy", "data.n_train"]))
    like = familiarity(known, describe([BASE]))
    assert like.strange is None
    assert like.doubt is not None


def test_seconds_grow_with_work_as_they_did_in_known_runs() -> None:
    """The table's runs take a microsecond for each text, epoch, layer and square of the width."""
    asked = describe([BASE, BASE.replace(training=BASE.training.replace(epochs=6))])
    seconds = expected_seconds(runs().drop(columns="data.features.words_mean"), asked)
    np.testing.assert_allclose(seconds, [1e-6 * 3000 * epochs * 2 * 32**2 for epochs in (3, 6)], rtol=1e-6)
    assert np.isnan(expected_seconds(runs().drop(columns="cost.train_seconds"), asked)).all()


def test_without_a_teacher_and_a_student_those_of_most_known_runs_are_taken(tiny_bert: Path, own_cache: Path) -> None:
    known = runs().assign(**{"pipeline.teacher.model": str(tiny_bert)})
    known["pipeline.student.layers"] = [[0, 2]] * 300 + [[1]] * 180
    found = Recommender().fit(known).recommend(data="asset:trec", n=2)
    assert len(found) == 2
    assert {pipeline.teacher.model for pipeline in found} == {str(tiny_bert)}
    assert {tuple(pipeline.student.layers or []) for pipeline in found} == {(0, 2)}


def test_if_known_runs_name_no_teacher_one_has_to_be_named(recommender: Recommender) -> None:
    with pytest.raises(UserError, match="teacher"):
        recommender.recommend(data="asset:trec")
