import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distiller import UserError, analyze
from distiller.analysis.among_good import ped_anova
from distiller.analysis.permutation import permutation_importance
from distiller.analysis.table import prepare

TABLES = ("importance", "contrasts", "winners", "best", "likeness", "cells")


def runs(count: int = 80, seed: int = 0, effect: float = 0.02) -> pd.DataFrame:
    """Runs of which one choice of three makes a difference."""
    random = np.random.default_rng(seed)
    kind, data = random.integers(3, size=count), random.integers(2, size=count)
    return pd.DataFrame(
        {
            "id": [str(number) for number in range(count)],
            "status": "finished",
            "data.source": np.array(["small", "large"])[data],
            "data.n_train": np.array([1000, 100_000])[data],
            "pipeline.objective.intermediate.type": np.array(["mi", "mse", "cos"])[kind],
            "pipeline.mapping.type": np.array(["skip", "last"])[random.integers(2, size=count)],
            "pipeline.objective.prediction.type": np.array(["ce", "kl"])[random.integers(2, size=count)],
            "retention": 0.9 + effect * (kind == 0) + random.normal(0, 0.005, size=count),
        }
    )


def test_the_same_table_and_seed_give_the_same_figures() -> None:
    first, second = analyze(runs(), seed=3), analyze(runs(), seed=3)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    assert first.sentences == second.sentences


def test_the_order_of_rows_changes_no_finding() -> None:
    shuffled = runs().sample(frac=1, random_state=0)
    first, second = (
        analyze(frame).importance.set_index(["method", "kind", "name"])["value"] for frame in (runs(), shuffled)
    )
    np.testing.assert_allclose(second.reindex(first.index), first, atol=0.08)


def test_sentences_say_what_makes_the_difference_and_by_how_much() -> None:
    said = " ".join(analyze(runs(300)).sentences)
    assert "intermediate objective" in said
    assert "objective.intermediate.type: mi is better than mse by" in said
    assert "objective.intermediate.type: mi is better than cos by" in said
    assert "mapping.type:" not in said


def test_noise_alone_gives_no_finding() -> None:
    analysis = analyze(runs(effect=0.0))
    assert not analysis.contrasts["supported"].any()
    assert any("It is not certain that choices foretell anything" in sentence for sentence in analysis.sentences)
    assert not analysis.importance.query("method == 'functional ANOVA'")["known"].any()


def test_every_number_is_written(tmp_path: Path) -> None:
    analysis = analyze(runs())
    analysis.write(tmp_path)
    content = json.loads((tmp_path / "analysis.json").read_text())
    assert content["sentences"] == analysis.sentences
    for name in TABLES:
        table = getattr(analysis, name)
        assert len(content[name]) == len(table)
        assert list(pd.read_csv(tmp_path / f"{name}.csv").columns) == list(table.columns)


@pytest.mark.parametrize("method", [ped_anova, permutation_importance], ids=["PED-ANOVA", "permutation"])
def test_other_methods_find_the_choice_that_matters_and_know_it(method: object) -> None:
    found = method(prepare(runs(200)), np.random.default_rng(0))  # type: ignore[operator]
    frame = found if isinstance(found, pd.DataFrame) else found[0]
    frame = frame[frame["kind"] == "choice"].set_index("name")
    matters, others = frame.loc["objective.intermediate.type"], frame.drop(index="objective.intermediate.type")
    assert matters["known"]
    assert matters["low"] > 0.5
    assert (others["value"] < 0.2).all()


FEW: Mapping[str, tuple[pd.DataFrame, str]] = {
    "empty": (runs().head(0), "0 finished runs"),
    "one": (runs().head(1), "1 finished runs"),
    "seven": (runs().head(7), "7 finished runs"),
    "all failed": (runs().assign(status="failed"), "0 finished runs"),
    "all pruned": (runs().assign(status="pruned"), "0 finished runs"),
    "no choice": (runs()[["retention", "id"]], "the same pipeline"),
    "constant choices": (runs().query("`pipeline.mapping.type` == 'x'"), "0 finished runs"),
    "constant retention": (runs().assign(retention=0.9), "the same retention"),
}


@pytest.mark.parametrize("case", FEW)
def test_too_little_is_a_sentence_and_no_crash(case: str, tmp_path: Path) -> None:
    frame, said = FEW[case]
    analysis = analyze(frame)
    assert said in " ".join(analysis.sentences)
    assert all(getattr(analysis, name).empty for name in TABLES)
    analysis.write(tmp_path)


def test_without_retention_the_mend_is_named() -> None:
    with pytest.raises(UserError, match="retention"):
        analyze(runs().drop(columns="retention"))


LEVELS = st.sampled_from([None, "a", "b", "c", 1, 2.5, True, "<b>"])
ROW = st.fixed_dictionaries(
    {
        "retention": st.one_of(
            st.floats(allow_nan=True, allow_infinity=True), st.floats(-1.0, 2.0), st.floats(0.5, 1.1)
        ),
        "status": st.sampled_from(["finished", "finished", "finished", "pruned", "failed", "stopped"]),
        "data.source": st.sampled_from(["x", "y", "z"]),
        "data.n_train": st.sampled_from([None, 0, 100, 10_000]),
        "teacher.model": st.sampled_from(["t", "u"]),
        "pipeline.mapping.type": LEVELS,
        "pipeline.objective.intermediate.alpha": st.one_of(st.none(), st.floats(0, 1)),
        "pipeline.augmentation.steps": st.sampled_from(
            [[], [{"type": "random"}], [{"type": "synonym", "p": 0.1}, {"type": "random", "p": 0.3}]]
        ),
        "pipeline.student.layers": st.sampled_from([None, [0, 2], [0, 2, 4]]),
    }
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(ROW, min_size=25, max_size=40))
def test_whatever_a_table_holds_there_are_sentences_and_shares_are_shares(rows: list[dict[str, object]]) -> None:
    analysis = analyze(pd.DataFrame(rows))
    assert analysis.sentences
    shares = analysis.importance
    assert (shares["value"].between(-1e-9, 1 + 1e-9) | ~shares["known"].astype(bool)).all()
    assert (shares["low"] <= shares["high"]).all()
    assert analysis.contrasts["adjusted_p"].between(0, 1).all()
    assert (analysis.contrasts["difference"] >= 0).all()


def test_a_dataset_on_which_all_score_the_same_and_a_table_without_noise_are_no_crash() -> None:
    frame = runs(60)
    easy = frame["retention"].where(frame["data.source"] != "small", 1.0)
    exact = 0.9 + 0.02 * (frame["pipeline.mapping.type"] == "skip")
    assert analyze(frame.assign(retention=easy)).sentences
    found = analyze(frame.assign(retention=exact)).importance.query("kind == 'choice'").set_index(["method", "name"])
    assert found.loc[("functional ANOVA", "mapping.type"), "low"] > 0.9


def test_a_column_of_its_own_for_augmentation_is_said_the_right_way_round() -> None:
    frame = runs(120)
    augmented = np.arange(len(frame)) % 2 == 0
    frame = frame.assign(**{"pipeline.augmentation": np.where(augmented, "yes", "no")})
    said = " ".join(analyze(frame.assign(retention=frame["retention"] + 0.03 * augmented)).sentences)
    assert "augmentation: yes is better than no by" in said
    assert "costs" not in said
