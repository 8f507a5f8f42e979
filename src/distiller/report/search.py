"""What a search has found: sentences, a table of trials, and pictures of how it came to it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.table import Table

from distiller.files import write_text
from distiller.report.drawing import GREY, as_svg, figure_of, with_legend

SHOWN = 15
STATES = {"complete": "finished", "fail": "failed"}
AXES_AT_MOST = 12
TICKS, NUMBERS, LONGEST_TICK = 8, 3, 24


def write_search(summary: Mapping[str, Any], path: Path) -> None:
    """Write the report of a search atomically.

    Args:
        summary: As `search` leaves it in search.json.
        path: The HTML file.
    """
    environment = Environment(
        loader=PackageLoader("distiller.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    drawn = [
        ("What each trial came to, and the best so far", _history(summary)),
        ("What finished trials had in common: each is a line, the better the darker", _parallel(summary)),
        ("The front: no trial is better in one and no worse in the other", _front(summary)),
    ]
    pictures = [(caption, Markup(svg)) for caption, svg in drawn if svg is not None]  # noqa: S704
    columns, rows = _figures(summary)
    template = environment.get_template("search.html.jinja")
    sentences = search_sentences(summary)
    write_text(path, template.render(sentences=sentences, pictures=pictures, columns=columns, rows=rows))


def search_table(summary: Mapping[str, Any]) -> Table:
    """The best trials, at most fifteen."""
    columns, rows = _figures(summary)
    filled = [place for place in range(len(columns)) if any(row[place] for row in rows[:SHOWN])]
    table = Table()
    for place in filled:
        table.add_column(columns[place], overflow="fold")
    for row in rows[:SHOWN]:
        table.add_row(*(row[place] for place in filled))
    return table


def search_sentences(summary: Mapping[str, Any]) -> list[str]:
    """What became of the trials; which is best, by validation, how sure that is, and what it scores on test."""
    states = [trial["state"] for trial in summary["trials"]]
    counted = [state for state in ("complete", "pruned", "fail") if state in states]
    parts = [f"{states.count(state)} {STATES.get(state, state)}" for state in counted]
    sentences = [f"{len(states)} trials: {', '.join(parts)}."]
    winner = summary.get("winner")
    if winner is None:
        return [*sentences, "None has finished, so that there is no best."]
    runs = winner["runs"]
    seeds = f"mean of {runs} further seeds" if runs > 1 else "one seed"
    best = f"Trial {winner['trial']} keeps {winner['validation_retention']:.1%} of the teacher on validation ({seeds})"
    others = len(summary["candidates"]) - 1
    if others > 0:
        chance = f"; the chance that it is the best of the {others + 1} that were run again is"
        best += f"{chance} {winner['chance_of_being_best']:.0%}"
    retention = winner["test_retention"]
    kept = "" if retention is None else f", {retention:.1%} of the teacher's"
    test = f"On test, looked at once, its student scores {winner['test_score']:.4f} {winner['metric']}{kept}."
    front = [f"Trials {', '.join(map(str, summary['front']))} are the front."] if len(summary["objectives"]) > 1 else []
    refused = summary.get("refused", 0)
    left_out = [f"{refused} points were no pipelines, and were not run: {summary['refusal']}."] if refused else []
    return [f"{best}.", test, *front, *sentences, *left_out]


def _figures(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Titles, and a row a trial, the best first."""
    paths = list(dict.fromkeys(path for trial in summary["trials"] for path in trial["point"]))
    titles = ["trial", "state", *summary["objectives"], "epochs", "seconds", *_short(paths), "failure"]
    ranked = sorted(summary["trials"], key=lambda trial: (trial["values"] is None, -_last(trial)))
    return titles, [_row(trial, summary["objectives"], paths) for trial in ranked]


def _short(paths: Sequence[str]) -> list[str]:
    """The last parts of each path, as many as tell it from the others."""
    for parts in range(1, 10):
        names = [".".join(path.split(".")[-parts:]) for path in paths]
        if len({*names}) == len(paths):
            return names
    return [*paths]


def _row(trial: Mapping[str, Any], goals: Sequence[str], paths: Sequence[str]) -> list[str]:
    values = trial["values"] or [*trial["epochs"].values()][-1:]
    shown = [f"{value:.4g}" for value in values] + [""] * (len(goals) - len(values))
    epochs = max(map(int, trial["epochs"]), default=None) if trial["state"] != "complete" else None
    seconds = "" if trial["seconds"] is None else f"{trial['seconds']:.0f}"
    point = ["" if path not in trial["point"] else _text(trial["point"][path]) for path in paths]
    stopped = "" if epochs is None else str(epochs)
    return [
        str(trial["trial"]),
        STATES.get(trial["state"], trial["state"]),
        *shown,
        stopped,
        seconds,
        *point,
        trial["failure"] or "",
    ]


def _last(trial: Mapping[str, Any]) -> float:
    values = trial["values"] or [*trial["epochs"].values()][-1:] or [float("-inf")]
    return float(values[0])


def _history(summary: Mapping[str, Any]) -> str | None:
    finished = [trial for trial in summary["trials"] if trial["values"]]
    pruned = [trial for trial in summary["trials"] if trial["state"] == "pruned" and trial["epochs"]]
    if not finished:
        return None
    figure, axes = figure_of("trial", summary["objectives"][0])
    numbers = [trial["trial"] for trial in finished]
    values = [_last(trial) for trial in finished]
    axes.scatter(numbers, values, label="finished")
    if pruned:
        axes.scatter(
            [trial["trial"] for trial in pruned], [_last(trial) for trial in pruned], marker="x", label="pruned", c=GREY
        )
    axes.step(numbers, [max(values[: end + 1]) for end in range(len(values))], where="post", label="best so far")
    return with_legend(figure, axes)


def _parallel(summary: Mapping[str, Any]) -> str | None:
    """One axis a field; choices in the order in which they first come."""
    finished = sorted((trial for trial in summary["trials"] if trial["values"]), key=_last)
    paths = list(dict.fromkeys(path for trial in finished for path in trial["point"]))[:AXES_AT_MOST]
    if len(finished) < 2 or not paths:
        return None
    figure, axes = figure_of("", "", height=1.2 + 0.45 * len(paths))
    heights = [_heights([trial["point"].get(path) for trial in finished]) for path in paths]
    for rank in range(len(finished)):
        shade = 0.1 + 0.9 * (rank / (len(finished) - 1)) ** 2
        axes.plot([of_path[rank] for of_path in heights], range(len(paths)), color="C0", alpha=shade)
    for place, path in enumerate(paths):
        for height, text in _ticks([trial["point"].get(path) for trial in finished], heights[place]).items():
            axes.annotate(
                text, (height, place), (0, 3), textcoords="offset points", fontsize=7, color=GREY, ha="center"
            )
    axes.set_yticks(range(len(paths)), labels=paths)
    axes.set_xticks([])
    axes.invert_yaxis()
    return as_svg(figure, axes)


def _ticks(values: Sequence[Any], heights: Sequence[float]) -> dict[float, str]:
    """What is written where on an axis: every choice, or the ends of a range; all of it short."""
    texts = dict(zip(heights, map(_text, values), strict=True))
    ends = {height: text for height, text in texts.items() if height in (min(heights), max(heights), 0.0)}
    numbers = any(isinstance(value, float) for value in values)
    return ends if (numbers and len(texts) > NUMBERS) or len(texts) > TICKS else texts


def _text(value: Any) -> str:
    if value is None:
        return "none"
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_TICK else f"{text[: LONGEST_TICK - 1]}…"


def _heights(values: Sequence[Any]) -> list[float]:
    """Where each value stands on its axis, from 0 to 1; what is not there stands below it."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        low, high = min(known), max(known)
        return [-0.15 if value is None else (value - low) / ((high - low) or 1.0) for value in values]
    order = list(dict.fromkeys(str(value) for value in values))
    return [order.index(str(value)) / max(1, len(order) - 1) for value in values]


def _front(summary: Mapping[str, Any]) -> str | None:
    if len(summary["objectives"]) < 2:
        return None
    finished = [trial for trial in summary["trials"] if trial["values"]]
    if not finished:
        return None
    figure, axes = figure_of(summary["objectives"][1], summary["objectives"][0])
    axes.scatter(*zip(*[(trial["values"][1], trial["values"][0]) for trial in finished], strict=True), label="finished")
    chosen = sorted(
        (trial["values"][1], trial["values"][0]) for trial in finished if trial["trial"] in summary["front"]
    )
    axes.plot(*zip(*chosen, strict=True), marker="o", color="C1", label="front")
    return with_legend(figure, axes)
