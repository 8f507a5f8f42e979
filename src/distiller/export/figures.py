"""What models were found to be worth, a figure a row and a model a column, for cards and terminals."""

from collections.abc import Callable, Sequence
from typing import Any

from distiller.export.exported import Exported, Form, share
from distiller.export.parity import Parity

TIMES: dict[str, Callable[[dict[str, Any]], str]] = {
    "ms for one text, median": lambda latency: f"{latency['median_ms']:.2f}",
    "ms for one text, p95": lambda latency: f"{latency['p95_ms']:.2f}",
    "ms for one text, p99": lambda latency: f"{latency['p99_ms']:.2f}",
    "texts a second, batches of 32": lambda latency: f"{latency['sentences_per_second']:.0f}",
}
DIFFERENCES: dict[str, Callable[[Parity], str]] = {
    "largest difference of logits": lambda parity: f"{parity.max_difference:.2g}",
    "mean difference of logits": lambda parity: f"{parity.mean_difference:.2g}",
    "same label": lambda parity: "" if parity.agreement is None else share(parity.agreement),
}


def times(latencies: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Rows of latencies as run records have them, and how many times as fast as the first the others are."""
    first = latencies[0]
    faster = [first["median_ms"] / latency["median_ms"] for latency in latencies]
    rates = [latency["sentences_per_second"] / first["sentences_per_second"] for latency in latencies]
    return [
        *([title, *map(form, latencies)] for title, form in TIMES.items()),
        ["times as fast, one text", *(f"{times:.2f}" for times in faster)],
        ["times as fast, batches", *(f"{times:.2f}" for times in rates)],
    ]


def figures(exported: Exported) -> list[list[str]]:
    """Rows of what is known of the forms of a model; the first names them."""
    forms, metric = [*exported.forms.values()], exported.subject.metric
    return [
        ["", *exported.forms],
        ["size, MB", *(f"{form.size_mb:.1f}" for form in forms)],
        *([] if metric is None else [[f"{metric} (test)", *(_score(form, metric) for form in forms)]]),
        *([title, *(_difference(form, said) for form in forms)] for title, said in DIFFERENCES.items()),
        *times([form.latency for form in forms]),
    ]


def _score(form: Form, metric: str) -> str:
    return "" if form.scores is None else f"{form.scores[metric]:.4f}"


def _difference(form: Form, said: Callable[[Parity], str]) -> str:
    return "" if form.parity is None else said(form.parity)
