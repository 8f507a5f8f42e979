"""What was reached, in words."""

from collections.abc import Mapping
from typing import Any

POINTS = 100
BETTER = 1.02
"""A student that keeps more than this has a teacher that has learned too little."""


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """The verdict first, then what was measured, then what it would take if the goal is not met.

    Args:
        summary: As in auto.json.
    """
    chosen, goal = summary["chosen"], summary["goal"]
    if chosen is None:
        failures = [f"{size['student']}: {size['failure']}" for size in summary["front"] if size["failure"]]
        why = f" ({'; '.join(failures)})" if failures else ""
        return [f"No student has finished{why}.", *_front(summary)]
    kept = chosen["retention"]
    wanted = " and ".join(
        [
            f"{goal['retain']:.1%} of the teacher",
            *([f"{goal['latency_ms']:g} ms"] if goal["latency_ms"] is not None else []),
            *([f"{goal['size_mb']:g} MB"] if goal["size_mb"] is not None else []),
        ]
    )
    speed = chosen["teacher_latency_ms"] / chosen["latency_ms"]
    smaller = chosen["teacher_size_mb"] / chosen["size_mb"]
    worth = f"{speed:.1f}× its speed and {smaller:.1f}× smaller"
    verdict = "The goal is met" if summary["met"] else "The goal is not met"
    student = f"with {chosen['student']} as {chosen['form']}"
    said = [f"{verdict} ({wanted}): {kept['value']:.1%} of the teacher on validation at {worth}, {student}."]
    span, chance = f"{kept['low']:.1%} to {kept['high']:.1%}", f"{chosen['chance']:.0%}"
    seeds = f"{kept['runs']} further seeds" if kept["runs"] > 1 else "one run, which alone is never sure"
    said.append(
        f"With other texts and seeds such students keep {span} ({seeds}); the chance that they keep"
        f" {goal['retain']:.1%} is {chance}, and {summary['sure']:.0%} is asked."
    )
    if chosen["test_retention"] is not None:
        said.append(
            f"On test, which decided nothing, the exported student scores {chosen['test_score']:.4f}"
            f" {chosen['metric']}, {chosen['test_retention']:.1%} of the teacher's {chosen['teacher_test_score']:.4f}."
        )
    alike = chosen["teacher_alike_latency_ms"]
    own = f"One text takes {chosen['latency_ms']:.2f} ms, the teacher in PyTorch {chosen['teacher_latency_ms']:.2f} ms"
    honest = f", and the teacher exported alike {alike:.2f} ms ({alike / chosen['latency_ms']:.1f}×)" if alike else ""
    said.append(f"{own}{honest}.")
    if kept["value"] > BETTER:
        said.append("The student scores more than its teacher, which has learned too little: see teacher.finetune.")
    return [*said, *([] if summary["met"] else _lacking(summary)), *_front(summary)]


def _lacking(summary: Mapping[str, Any]) -> list[str]:
    """What it would take."""
    chosen, goal = summary["chosen"], summary["goal"]
    lacks = goal["retain"] - chosen["retention"]["value"]
    said = []
    if lacks > 0:
        said.append(f"It lacks {POINTS * lacks:.1f} points.")
    elif chosen["within"]:
        said.append("It keeps enough, but too few texts and seeds say so to be sure: more validation texts would tell.")
    if not chosen["within"]:
        said.append("It is slower or larger than what was wanted, as measured at the end.")
    beyond = [size["student"] for size in summary["front"] if not size["allowed"]]
    if lacks > 0 and beyond:
        said.append(f"Beyond the latency or the size that was wanted: {', '.join(beyond)}.")
    untried = [size["student"] for size in summary["front"] if size["allowed"] and not size["tried"]]
    if untried:
        said.append(f"Not tried, for want of time or since larger ones kept too little: {', '.join(untried)}.")
    if lacks > 0:
        said.append("More --time, more texts (data.unlabelled) or a larger student may close the gap.")
    return [" ".join(said)]


def _front(summary: Mapping[str, Any]) -> list[str]:
    parts = [
        f"{size['student']} {size['retention']['value']:.1%} (pipelines: {size['trials']})"
        for size in summary["front"]
        if size["retention"] is not None
    ]
    tried = [f"Tried, by what they keep on validation: {', '.join(parts)}."] if parts else []
    return [*tried, *(_ways(size) for size in summary["front"] if len(size["ways"]) > 1)]


def _ways(size: Mapping[str, Any]) -> str:
    """What a size keeps by who taught it."""
    parts = [
        f"{way['retention']['value']:.1%} by {name}" if way["retention"] is not None else f"none by {name}"
        for name, way in size["ways"].items()
    ]
    return f"{size['student']} kept, as it was taught: {', '.join(parts)}."
