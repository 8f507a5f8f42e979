"""What a search has found: sentences, a table of trials, and pictures of how it came to it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich import table as terminal
from rich.text import Text

from distiller.report.document import write_document
from distiller.report.drawing import COLOURS, GREY, SMALL, Picture, dot, figure_of, legend_below, mark, short
from distiller.report.tables import Cell, Table, cell_of

SHOWN = 15
STATES = {"complete": "finished", "fail": "failed"}
AXES_AT_MOST = 12
TICKS, NUMBERS, LONGEST_TICK = 8, 3, 24
EDGE, PARALLEL_LINE, SHORTEST_TICK = 0.05, 40, 6


def write_search(summary: Mapping[str, Any], path: Path) -> None:
    """Write the report of a search atomically.

    Args:
        summary: As `search` leaves it in search.json.
        path: The HTML file.
    """
    drawn = [
        ("history", "What each trial came to, and the best so far", _history(summary)),
        (
            "parallel",
            "What finished trials had in common: each is a line, the better the stronger its colour",
            _parallel(summary),
        ),
        ("front", "The front: no trial is better in one and no worse in the other", _front(summary)),
    ]
    write_document(
        path,
        "search.html.jinja",
        sentences=search_sentences(summary),
        pictures=[Picture(name, caption, figure) for name, caption, figure in drawn if figure is not None],
        trials=_trials(summary),
    )


def search_table(summary: Mapping[str, Any]) -> terminal.Table:
    """The best trials, at most fifteen."""
    trials = _trials(summary)
    rows = trials.rows[:SHOWN]
    filled = [place for place in range(len(trials.titles)) if any(row[place].text for row in rows)]
    table = terminal.Table()
    for place in filled:
        table.add_column(Text(trials.titles[place]), overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[place].text) for place in filled))
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


def _trials(summary: Mapping[str, Any]) -> Table:
    """A row a trial, the best first."""
    paths = list(dict.fromkeys(path for trial in summary["trials"] for path in trial["point"]))
    titles = ["trial", "state", *summary["objectives"], "epochs", "seconds", *_short(paths), "failure"]
    ranked = sorted(summary["trials"], key=lambda trial: (trial["values"] is None, -_last(trial)))
    return Table("All trials, the best first", titles, [_row(trial, summary["objectives"], paths) for trial in ranked])


def _short(paths: Sequence[str]) -> list[str]:
    """The last parts of each path, as many as tell it from the others."""
    for parts in range(1, 10):
        names = [".".join(path.split(".")[-parts:]) for path in paths]
        if len({*names}) == len(paths):
            return names
    return [*paths]


def _row(trial: Mapping[str, Any], goals: Sequence[str], paths: Sequence[str]) -> list[Cell]:
    values = trial["values"] or [*trial["epochs"].values()][-1:]
    epochs = max(map(int, trial["epochs"]), default=None) if trial["state"] != "complete" else None
    return [
        cell_of(trial["trial"]),
        Cell(STATES.get(trial["state"], trial["state"])),
        *(cell_of(value, "{:.4g}".format) for value in values),
        *[Cell("")] * (len(goals) - len(values)),
        cell_of(epochs),
        cell_of(trial["seconds"], "{:.0f}".format),
        *(_chosen(trial["point"], path) for path in paths),
        Cell(trial["failure"] or ""),
    ]


def _chosen(point: Mapping[str, Any], path: str) -> Cell:
    if path not in point:
        return Cell("")
    value = point[path]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(_text(value), float(value) if number else None)


def _last(trial: Mapping[str, Any]) -> float:
    values = trial["values"] or [*trial["epochs"].values()][-1:] or [float("-inf")]
    return float(values[0])


def _history(summary: Mapping[str, Any]) -> Figure | None:
    finished = [trial for trial in summary["trials"] if trial["values"]]
    pruned = [trial for trial in summary["trials"] if trial["state"] == "pruned" and trial["epochs"]]
    if not finished:
        return None
    figure, axes = figure_of("trial", summary["objectives"][0])
    numbers = [trial["trial"] for trial in finished]
    values = [_last(trial) for trial in finished]
    axes.step(
        numbers,
        [max(values[: end + 1]) for end in range(len(values))],
        where="post",
        color=COLOURS[1],
        label="best so far",
    )
    for state, trials, style in (
        ("finished", finished, {"color": COLOURS[0]}),
        ("pruned", pruned, {"color": GREY, "marker": "x"}),
    ):
        for trial in trials:
            tip = f"trial {trial['trial']}, {state}: {summary['objectives'][0]} {_last(trial):.4g}"
            dot(axes, trial["trial"], _last(trial), tip, label=state if trial is trials[0] else None, **style)
    legend_below(figure, axes)
    return figure


def _parallel(summary: Mapping[str, Any]) -> Figure | None:
    """One axis a field; choices in the order in which they first come."""
    finished = sorted((trial for trial in summary["trials"] if trial["values"]), key=_last)
    paths = list(dict.fromkeys(path for trial in finished for path in trial["point"]))[:AXES_AT_MOST]
    if len(finished) < 2 or not paths:
        return None
    figure, axes = figure_of("", "", height=0.6 + 0.55 * len(paths))
    heights = [_heights([trial["point"].get(path) for trial in finished]) for path in paths]
    for rank, trial in enumerate(finished):
        shade = 0.1 + 0.9 * (rank / (len(finished) - 1)) ** 2
        (line,) = axes.plot([of_path[rank] for of_path in heights], range(len(paths)), color=COLOURS[0], alpha=shade)
        chosen = ", ".join(
            f"{name} {_text(trial['point'].get(path))}" for name, path in zip(_short(paths), paths, strict=True)
        )
        mark(line, f"trial {trial['trial']}: {summary['objectives'][0]} {_last(trial):.4g}; {chosen}")
    for place, path in enumerate(paths):
        ticks = _ticks([trial["point"].get(path) for trial in finished], heights[place])
        room = max(SHORTEST_TICK, PARALLEL_LINE // len(ticks))
        for height, text in ticks.items():
            side = "left" if height < EDGE else "right" if height > 1 - EDGE else "center"
            axes.annotate(
                short(text, room), (height, place), (0, 3), textcoords="offset points", fontsize=SMALL, ha=side
            )
    axes.set_yticks(range(len(paths)), labels=_short(paths))
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()
    return figure


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


def _front(summary: Mapping[str, Any]) -> Figure | None:
    if len(summary["objectives"]) < 2:
        return None
    finished = [trial for trial in summary["trials"] if trial["values"]]
    if not finished:
        return None
    first, second = summary["objectives"][:2]
    figure, axes = figure_of(second, first)
    for trial in finished:
        value, cost = trial["values"][:2]
        chosen = trial["trial"] in summary["front"]
        tip = f"trial {trial['trial']}{', on the front' if chosen else ''}: {first} {value:.4g}, {second} {cost:.4g}"
        dot(axes, cost, value, tip, color=COLOURS[1 if chosen else 0], marker="s" if chosen else "o")
    front = sorted((trial["values"][1], trial["values"][0]) for trial in finished if trial["trial"] in summary["front"])
    axes.plot(*zip(*front, strict=True), color=COLOURS[1], marker="s", markersize=5, label="front")
    legend_below(figure, axes)
    return figure
