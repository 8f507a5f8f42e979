import json

import numpy as np
import pandas as pd
import pytest

from distiller import UserError
from distiller.analysis.table import prepare

ROWS = 12


def runs(**columns: object) -> pd.DataFrame:
    """Twelve finished runs of two mappings."""
    made = {
        "id": [f"run-{number}" for number in range(ROWS)],
        "status": "finished",
        "retention": np.linspace(0.8, 0.99, ROWS),
        "pipeline.mapping.type": ["skip", "last"] * (ROWS // 2),
    }
    return pd.DataFrame(made | columns)


def choice_of(frame: pd.DataFrame, name: str) -> list[str]:
    [choice] = [choice for choice in prepare(frame).choices if choice.name == name]
    return [choice.text(code) for code in choice.codes]


def test_only_finished_runs_are_outcomes_and_pruned_ones_have_the_median_as_their_limit() -> None:
    frame = runs(status=["finished"] * 8 + ["pruned"] * 2 + ["failed", "stopped"])
    table = prepare(frame)
    assert len(table) == 10
    np.testing.assert_allclose(table.outcome[:8], frame["retention"][:8])
    assert np.isnan(table.outcome[8:]).all()
    np.testing.assert_allclose(table.limit[8:], np.median(frame["retention"][:8]))
    assert table.counts == {"finished": 8, "pruned": 2, "failed": 1, "stopped": 1, "runs": 12, "used": 10}
    assert any("2 runs failed or were stopped" in note for note in table.notes)


def test_the_limit_of_a_pruned_run_is_of_its_own_data_and_teacher() -> None:
    data = ["a"] * 6 + ["b"] * 6
    frame = runs(**{"data.source": data, "status": ["pruned", *["finished"] * 10, "pruned"]})
    limit = prepare(frame).limit
    np.testing.assert_allclose(
        limit[[0, -1]], [np.median(frame["retention"][1:6]), np.median(frame["retention"][6:11])]
    )


def test_pruned_runs_where_nothing_finished_are_left_out() -> None:
    frame = runs(**{"data.source": ["a"] * 11 + ["b"], "status": ["finished"] * 11 + ["pruned"]})
    table = prepare(frame)
    assert len(table) == 11
    assert any("nothing finished on their data" in note for note in table.notes)


def test_a_record_that_is_there_twice_counts_once() -> None:
    table = prepare(pd.concat([runs(), runs()]))
    assert len(table) == ROWS
    assert f"{ROWS} records were there more than once and count once." in table.notes


def test_runs_of_one_pipeline_with_other_seeds_are_all_counted() -> None:
    table = prepare(runs(**{"pipeline.seed": range(ROWS)}))
    assert len(table) == ROWS
    assert len(set(table.pipelines)) == 2


@pytest.mark.parametrize("value", [None, np.nan, np.inf, 1e300, "none"])
def test_a_finished_run_without_retention_is_left_out_and_said_so(value: object) -> None:
    frame = runs(retention=[value, *np.linspace(0.8, 0.9, ROWS - 1)])
    table = prepare(frame)
    assert len(table) == ROWS - 1
    assert "Of 1 finished runs there is no retention: they are left out." in table.notes


def test_without_a_retention_column_the_mend_is_named() -> None:
    with pytest.raises(UserError, match="retention"):
        prepare(runs().drop(columns="retention"))


def test_fields_that_change_no_result_are_no_choices() -> None:
    frame = runs(
        **{
            "pipeline.seed": range(ROWS),
            "pipeline.training.seed": range(ROWS),
            "pipeline.data.limit": [100, 200] * 6,
            "pipeline.store.mode": ["on", "on", "off", "off"] * 3,
            "pipeline.teacher.model": ["x", "x", "y", "y"] * 3,
        }
    )
    assert [choice.name for choice in prepare(frame).choices] == ["mapping.type"]


def test_no_loss_between_layers_is_a_level_of_its_own() -> None:
    kinds = ["mse", None, "mi"] * 4
    frame = runs(**{"pipeline.objective.intermediate.type": kinds})
    assert choice_of(frame, "objective.intermediate.type") == [kind or "none" for kind in kinds]


def test_a_field_that_is_there_under_a_condition_is_empty_elsewhere() -> None:
    kinds, alphas = ["mse", "mi", "mi"] * 4, [None, 0.1, 0.9] * 4
    frame = runs(**{"pipeline.objective.intermediate.type": kinds, "pipeline.objective.intermediate.alpha": alphas})
    assert choice_of(frame, "objective.intermediate.alpha") == ["", "0.1", "0.9"] * 4


@pytest.mark.parametrize("written", [list, json.dumps], ids=["list", "text"])
def test_steps_of_augmentation_become_a_choice_for_each_kind(written: type) -> None:
    steps = [
        [],
        [{"type": "contextual", "p": 0.1}],
        [{"type": "random", "action": "swap", "p": 0.3}, {"type": "contextual", "p": 0.3}],
    ]
    frame = runs(**{"pipeline.augmentation.steps": [written(each) for each in steps] * 4})
    assert choice_of(frame, "augmentation.contextual") == ["no", "yes", "yes"] * 4
    assert choice_of(frame, "augmentation.random") == ["no", "no", "swap"] * 4
    assert choice_of(frame, "augmentation.p") == ["", "0.1", "0.3"] * 4


@pytest.mark.parametrize(
    "columns",
    [
        {"pipeline.augmentation.mixup.beta": [0.4, None, 0.4] * 4},
        {"pipeline.augmentation.mixup": [{"beta": 0.4}, None, {"beta": 0.4}] * 4},
        {"pipeline.augmentation.mixup": [None] * 12, "pipeline.augmentation.mixup.beta": [0.4, np.nan, 0.4] * 4},
        {"pipeline.augmentation.mixup": [True, False, True] * 4},
    ],
    ids=["flattened", "section", "both", "flag"],
)
def test_mixup_is_there_or_not_however_it_was_written(columns: dict[str, list[object]]) -> None:
    assert choice_of(runs(**columns), "augmentation.mixup") == ["yes", "no", "yes"] * 4


def test_what_always_changes_together_is_one_choice_and_said_so() -> None:
    frame = runs(**{"pipeline.training.epochs": [3, 5] * 6})
    table = prepare(frame)
    assert [choice.name for choice in table.choices] == ["mapping.type"]
    assert any("training.epochs changes exactly when mapping.type does" in note for note in table.notes_of_choices)


def test_many_numbers_are_a_range_by_orders_of_magnitude_if_it_is_wide() -> None:
    rates = np.geomspace(1e-5, 1e-3, ROWS)
    [_, choice] = prepare(runs(**{"pipeline.training.learning_rate": rates})).choices
    assert choice.levels == ()
    np.testing.assert_allclose(choice.codes, np.linspace(0, 1, ROWS))
    assert choice.text(0.5) == "0.0001"


def test_levels_that_one_run_has_are_taken_together() -> None:
    frame = runs(**{"pipeline.student.model": ["a"] * 5 + ["b"] * 5 + ["c", "d"]})
    assert choice_of(frame, "student.model") == ["a"] * 5 + ["b"] * 5 + ["other"] * 2


def test_datasets_are_named_by_the_end_of_their_paths_where_that_tells_them_apart() -> None:
    apart, alike = ["/x/MRPC", "/x/RTE/"] * 6, ["/x/data", "/y/data"] * 6
    assert set(prepare(runs(**{"data.source": apart})).dataset) == {"MRPC", "RTE"}
    assert set(prepare(runs(**{"data.source": alike})).dataset) == set(alike)


def test_other_runs_of_the_same_id_are_kept() -> None:
    assert len(prepare(pd.concat([runs(), runs(retention=0.7)]))) == 2 * ROWS


def test_status_is_read_however_it_is_written() -> None:
    assert len(prepare(runs(status=["FINISHED", "Finished ", None] * 4))) == ROWS


def test_the_source_names_the_data_where_no_name_does() -> None:
    table = prepare(runs(**{"data.name": [None, "one"] * 6, "data.source": ["x", "y"] * 6}))
    assert table.dataset.tolist() == ["x", "one"] * 6


def test_retention_in_per_cent_is_taken_for_what_it_is_and_said_so() -> None:
    table = prepare(runs(retention=np.linspace(80, 99, ROWS)))
    np.testing.assert_allclose(table.outcome, np.linspace(0.8, 0.99, ROWS))
    assert any("per cent" in note for note in table.notes)


def test_steps_as_a_list_that_pandas_wrote_are_read() -> None:
    frame = runs(**{"pipeline.augmentation.steps": [str([{"type": "contextual", "p": 0.1}]), "[]"] * 6})
    frame["pipeline.mapping.type"] = ["skip"] * 6 + ["last"] * 6
    assert choice_of(frame, "augmentation.contextual") == ["yes", "no"] * 6


def test_steps_that_are_no_list_are_refused_with_the_field() -> None:
    with pytest.raises(UserError, match=r"augmentation\.steps"):
        prepare(runs(**{"pipeline.augmentation.steps": ["[{", "[]"] * 6}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None] * ROWS, "Without a value in any run"),
        (["a"] * ROWS, "The same in all runs"),
        ([f"value-{row}" for row in range(ROWS)], "With no value that 2 runs have"),
    ],
)
def test_why_nothing_is_said_of_a_field_is_said(values: list[object], said: str) -> None:
    notes = prepare(runs(**{"pipeline.mapping.kind": values})).notes_of_choices
    assert f"{said}, so that nothing is said of it: mapping.kind." in notes


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pd.DataFrame([["mi", "mse", 0.9]], columns=["pipeline.mapping.type"] * 2 + ["retention"])
    with pytest.raises(UserError, match=r"pipeline\.mapping\.type.*two columns"):
        prepare(frame)


def test_retention_that_is_true_or_false_is_refused() -> None:
    with pytest.raises(UserError, match="true or false"):
        prepare(runs(retention=[True, False] * (ROWS // 2)))


def test_of_very_many_datasets_those_with_most_runs_are_told_apart_and_that_is_said() -> None:
    names = [f"d{number:02}" for number in range(40) for _ in range(1 + (number >= 11))]
    table = prepare(pd.DataFrame({"data.source": names, "retention": np.linspace(0.5, 1.0, len(names))}))
    assert {*table.compared_datasets} == {f"d{number}" for number in range(11, 40)} | {"all others"}
    assert {*table.dataset} == {*names}
    assert any("the 29 with most runs" in note for note in table.notes)
