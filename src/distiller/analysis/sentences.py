"""What the numbers of an analysis say, in words; only what their intervals support."""

from collections.abc import Iterator

import pandas as pd

from distiller.analysis.contrasts import ANY_LOSS, ANY_STEP

POINTS = 100
SAID_AT_MOST = 12
SMALL = 0.05
"""A stage whose whole interval lies below this share makes little difference."""


def sentences(about: dict[str, float], importance: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """The summary: what is known at all, what matters, what is better than what, and where that holds."""
    return [
        *_known(about),
        *_stages(importance),
        *_overall(contrasts),
        *_in_parts(contrasts),
    ]


def _known(about: dict[str, float]) -> Iterator[str]:
    yield (
        f"{about['used']:.0f} of {about['runs']:.0f} runs on {_count(about['datasets'], 'dataset')} with "
        f"{_count(about['teachers'], 'teacher')} are used."
    )
    if about["surrogate_r2"] != about["surrogate_r2"]:
        return
    low, high = about["surrogate_r2_low"], about["surrogate_r2_high"]
    told = f"{about['surrogate_r2']:.0%} [{low:.0%}, {high:.0%}]"
    if low <= 0:
        yield f"It is not certain that choices foretell anything about a run (R² {told}): no importance is known."
        return
    yield f"From its choices {told} of what makes runs differ is foretold for runs that were not seen."


def _count(number: float, noun: str) -> str:
    return f"{number:.0f} {noun}{'' if number == 1 else 's'}"


def _stages(importance: pd.DataFrame) -> Iterator[str]:
    if importance.empty or importance["group"].nunique() < 2:
        return
    groups = importance[(importance["kind"] == "group") & ~importance["name"].str.contains(" × ")]
    ranked = groups[groups["known"] & (groups["low"] > 0)].sort_values("value", ascending=False)
    if len(ranked):
        shares = [f"{row['name']} {_share(row)}" for _, row in ranked.iterrows()]
        yield f"Of the variance that choices make, by stage: {', '.join(shares)}."
    small = groups[groups["known"] & (groups["high"] < SMALL)]
    if len(small):
        yield f"Below {SMALL:.0%} by their intervals: {', '.join(small['name'])}."
    unknown = groups[~groups["known"]]
    if len(unknown):
        yield f"Not known from these runs: {', '.join(unknown['name'])}."


def _share(row: pd.Series) -> str:
    return f"{row['value']:.0%} [{row['low']:.0%}, {row['high']:.0%}]"


def _overall(contrasts: pd.DataFrame) -> Iterator[str]:
    overall = contrasts[(contrasts["scope"] == "overall") & contrasts["supported"].astype(bool)]
    for _, row in overall.sort_values("adjusted_p").head(SAID_AT_MOST).iterrows():
        runs = f"{row['runs']} and {row['other_runs']} runs"
        yield f"{_better(row)} {_points(row)} ({runs})."
    if len(contrasts) and not len(overall):
        yield "No choice is better than another beyond doubt over all datasets."


def _better(row: pd.Series) -> str:
    if row["choice"] in (ANY_STEP, ANY_LOSS):
        return f"{row['choice'].capitalize()} {'adds' if row['level'] == 'with' else 'costs'}"
    return f"{row['choice']}: {row['level']} is better than {row['other']} by"


def _points(row: pd.Series) -> str:
    return f"{row['difference'] * POINTS:.1f} points [{row['low'] * POINTS:.1f}, {row['high'] * POINTS:.1f}]"


def _in_parts(contrasts: pd.DataFrame) -> Iterator[str]:
    """Where a difference holds on one side of a size, and on the other another, or none that can be told."""
    for scope in ("data size", "student size"):
        of_scope = contrasts[contrasts["scope"] == scope]
        parts = list(dict.fromkeys(of_scope["part"]))
        for pair in _pairs(of_scope):
            supported = pair[pair["supported"].astype(bool)]
            if len(supported) and not _agree(supported, parts):
                said = [f"{_points(row)} {row['part']}{_turned(row, supported)}" for _, row in supported.iterrows()]
                others = pair[~pair["supported"].astype(bool)]
                rest = [f"{_elsewhere(row, supported)} {row['part']}" for _, row in others.iterrows()]
                rest += [f"not tried {part}" for part in parts if part not in set(pair["part"])]
                yield f"{_better(supported.iloc[0])} {', '.join([*said, *rest])}."


def _pairs(contrasts: pd.DataFrame) -> list[pd.DataFrame]:
    """Contrasts of the same two levels, whichever way round each came out."""
    rows: dict[tuple[str, ...], list[int]] = {}
    names = zip(contrasts["choice"], contrasts["level"], contrasts["other"], strict=True)
    for place, (choice, *levels) in enumerate(names):
        rows.setdefault((choice, *sorted(levels)), []).append(place)
    return [contrasts.iloc[places] for places in rows.values()]


def _agree(supported: pd.DataFrame, parts: list[str]) -> bool:
    """Whether a difference is the same in all parts as far as can be told, so that size makes no difference to it."""
    same = supported["level"].nunique() == 1 and len(supported) == len(parts)
    return same and bool(supported["low"].max() <= supported["high"].min())


def _elsewhere(row: pd.Series, supported: pd.DataFrame) -> str:
    """What the other part says: that the difference is less there, or none, or nothing either way."""
    first = supported.iloc[0]
    low, high = (row["low"], row["high"]) if row["level"] == first["level"] else (-row["high"], -row["low"])
    less = "nothing measurable" if low <= 0 else "less, and not beyond doubt"
    return f"{less if high < first['low'] else 'too few runs to tell'} [{low * POINTS:.1f}, {high * POINTS:.1f}]"


def _turned(row: pd.Series, supported: pd.DataFrame) -> str:
    first = supported.iloc[0]
    return "" if row["level"] == first["level"] else f", where {row['level']} is the better"
