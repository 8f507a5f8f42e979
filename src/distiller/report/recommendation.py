"""What is recommended and what is known, as tables in the terminal."""

import math
from collections.abc import Sequence

from pandas import DataFrame
from rich.console import Group
from rich.table import Table
from rich.text import Text

from distiller.pipeline import Pipeline
from distiller.recommend import Advice, Recommender
from distiller.report.numbers import share

MINUTE, HOUR = 60, 3600


def advice_table(advice: Advice) -> Table:
    """A row a pipeline, the best first."""
    table = Table(
        "", "retention", "80% of runs", "training", "augmentation", "mixup", "loss between layers", "predictions"
    )
    for place, each in enumerate(advice.recommendations, start=1):
        table.add_row(
            str(place),
            share(each.expected),
            f"{share(each.low)} to {share(each.high)}",
            _duration(each.seconds),
            *map(Text, _stages(each.pipeline)),
        )
    return table


def knowledge_table(datasets: DataFrame) -> Group:
    """A row a dataset, and how many runs there are."""
    table = Table("dataset", "runs", "pipelines", "teachers", "examples", "median retention", "best")
    for row in datasets.to_dict("records"):
        examples = row["examples"]
        table.add_row(
            Text(str(row["dataset"])),
            *(str(row[name]) for name in ("runs", "pipelines", "teachers")),
            "" if math.isnan(examples) else f"{examples:,.0f}",
            share(row["median"]),
            share(row["best"]),
        )
    return Group(table, Text(f"{datasets['runs'].sum()} runs on {len(datasets)} datasets"))


def left_out_table(recommender: Recommender) -> Group:
    """How good recommendations are on each dataset if no run on it is known, and what else could have learned."""
    gain, correlation = recommender.left_out.gain, recommender.left_out.correlation
    table = Table("dataset", "gain of the first five", "Spearman")
    used = recommender.mixture
    for dataset in gain.index:
        table.add_row(Text(str(dataset)), f"{gain[used][dataset]:.2f}", f"{correlation[used][dataset]:.2f}")
    table.add_row("mean", f"{gain[used].mean():.2f}", f"{correlation[used].mean():.2f}", style="bold")
    compared = [f"{name} {gain[name].mean():.2f} and {correlation[name].mean():.2f}" for name in gain]
    said = (
        "The gain is 0 for the mean of all pipelines and 1 for the best of them."
        f" Compared were: {'; '.join(compared)}. Used: {used}."
    )
    return Group(table, Text(said))


def _stages(pipeline: Pipeline) -> Sequence[str]:
    steps = " ".join(step.type for step in pipeline.augmentation.steps) or "none"
    between = pipeline.objective.intermediate
    layers = "none" if between is None else f"{between.type} {getattr(between, 'alpha', '')}".strip()
    mapped = "" if between is None else f" ({pipeline.mapping.type})"
    prediction = pipeline.objective.prediction
    return (
        steps,
        "yes" if pipeline.augmentation.mixup is not None else "no",
        f"{layers}{mapped}",
        "none" if prediction is None else prediction.type,
    )


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < HOUR else f"{seconds / HOUR:.1f} h"
