"""The bounds on Gaussians whose mutual information is known: the table and the picture of docs/theory.md.

Two vectors of 20 dimensions, each pair of coordinates of the same correlation; 64 pairs a batch. First with the optimal
critic log p(x|y)/p(x), then with critics that are trained on what they bound. Last, with the optimal critic again, 32
pairs a batch and more negatives than these.

    python benchmarks/mutual_information.py --picture docs/mutual-information.svg
    python benchmarks/mutual_information.py --only negatives
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from distiller.objectives.critics import LogBaseline, Separable
from distiller.objectives.mutual_information import infonce, interpolated, nwj

DIMENSIONS, PAIRS = 20, 64
NATS = (2, 4, 6, 8, 10)
ALPHAS = (0.99, 0.9, 0.5, 0.1, 0.01)
REPEATS, STEPS, BATCHES_AFTER = 1000, 5000, 500
FEW_PAIRS, FURTHER, FEW_REPEATS = 32, (0, 96, 992, 4064), 200

Bound = Callable[[Tensor, Tensor], Tensor]
BOUNDS: dict[str, Bound] = {
    "InfoNCE": lambda scores, _: infonce(scores),
    **{f"MI-α, α = {alpha}": lambda s, b, alpha=alpha: interpolated(s, b, alpha) for alpha in ALPHAS},
    "NWJ": lambda scores, _: nwj(scores),
}
CEILINGS: dict[str, Callable[[int], float]] = {
    "InfoNCE": math.log,
    "MI-α, α = 0.9": lambda rows: 1 + math.log((rows - 1) / 0.9),
}


def main() -> None:
    """Measure, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=Path("runs/mutual-information.svg"))
    parser.add_argument("--only", choices=["negatives"], help="the last table alone, and no picture")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.only is None:
        _measure_bounds(arguments.picture)
    negatives = [_with_more_negatives(name, further, nats) for name in CEILINGS for further in FURTHER for nats in NATS]
    print(f"\nMore negatives than the batch, {FEW_PAIRS} pairs: mean (standard deviation) in nats\n")
    print(_table(pd.DataFrame(negatives), "bound", "K + N", "at most"))


def _measure_bounds(picture: Path) -> None:
    optimal = pd.DataFrame([row for nats in NATS for row in _with_optimal_critic(nats)])
    print("With the optimal critic: mean (standard deviation) in nats\n")
    print(_table(optimal, "bound"))
    trained = pd.DataFrame([_with_trained_critic(name, nats=10) for name in BOUNDS])
    print("\nWith critics trained on the bound itself\n")
    print(_table(trained, "bound"))
    picture.parent.mkdir(parents=True, exist_ok=True)
    _draw(optimal, picture)


def _with_optimal_critic(nats: float) -> list[dict[str, object]]:
    generator = torch.Generator().manual_seed(int(nats))
    gathered: dict[str, list[float]] = {name: [] for name in BOUNDS}
    for _ in range(REPEATS):
        x, y = _drawn(nats, generator)
        ratio = _log_density_ratio(x, y, nats)
        for name, bound in BOUNDS.items():
            # NWJ's optimal critic is 1 + the ratio; the optimal baseline of the others is 1.
            scores = ratio + 1 if name == "NWJ" else ratio
            gathered[name].append(float(bound(scores, torch.zeros(PAIRS))))
    return [_row(name, nats, values) for name, values in gathered.items()]


def _with_trained_critic(name: str, nats: float) -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    critic, log_baseline = Separable().build(DIMENSIONS, DIMENSIONS), LogBaseline(DIMENSIONS)
    for module in (critic, log_baseline):
        _see_lengths(module)
    optimizer = torch.optim.Adam([*critic.parameters(), *log_baseline.parameters()], lr=5e-4)
    for _ in range(STEPS):
        x, y = _drawn(nats, generator)
        optimizer.zero_grad()
        (-BOUNDS[name](critic(x, y), log_baseline(y))).backward()
        optimizer.step()
    values = []
    with torch.no_grad():
        for _ in range(BATCHES_AFTER):
            x, y = _drawn(nats, generator)
            values.append(float(BOUNDS[name](critic(x, y), log_baseline(y))))
    return _row(name, nats, values)


def _with_more_negatives(name: str, further: int, nats: float) -> dict[str, object]:
    """With the optimal critic, beside the most that the bound can show; the pairs are the same for each `further`."""
    generator, apart = (torch.Generator().manual_seed(seed) for seed in (int(nats), further))
    values = []
    for _ in range(FEW_REPEATS):
        x, y = _drawn(nats, generator, pairs=FEW_PAIRS)
        others = torch.randn(further, DIMENSIONS, generator=apart)
        scores = _log_density_ratio(torch.cat([x, others]), y, nats)
        values.append(float(BOUNDS[name](scores, torch.zeros(FEW_PAIRS))))
    rows = FEW_PAIRS + further
    return {**_row(name, nats, values), "K + N": f"{rows}", "at most": f"{CEILINGS[name](rows):.2f}"}


def _see_lengths(module: nn.Module) -> None:
    """Take the normalisation of features out: in so few dimensions the length of a vector tells something too."""
    for name, part in module.named_children():
        if isinstance(part, nn.LayerNorm):
            setattr(module, name, nn.Identity())
        _see_lengths(part)


def _drawn(nats: float, generator: torch.Generator, pairs: int = PAIRS) -> tuple[Tensor, Tensor]:
    correlation = _correlation(nats)
    x, noise = torch.randn(2, pairs, DIMENSIONS, generator=generator)
    return x, correlation * x + math.sqrt(1 - correlation**2) * noise


def _correlation(nats: float) -> float:
    """I = -d/2 log(1 - ρ²)."""
    return math.sqrt(1 - math.exp(-2 * nats / DIMENSIONS))


def _log_density_ratio(x: Tensor, y: Tensor, nats: float) -> Tensor:
    """log p(x_i|y_j) / p(x_i) for each i, j."""
    correlation = _correlation(nats)
    given = (x[:, None] - correlation * y[None]).square().sum(-1) / (1 - correlation**2)
    return (x.square().sum(-1)[:, None] - given) / 2 - DIMENSIONS / 2 * math.log(1 - correlation**2)


def _row(name: str, nats: float, values: list[float]) -> dict[str, object]:
    estimates = torch.tensor(values)
    return {"bound": name, "nats": nats, "mean": float(estimates.mean()), "deviation": float(estimates.std())}


def _table(frame: pd.DataFrame, *keys: str) -> str:
    header = [*keys, *(f"{nats:g} nats" for nats in sorted(frame["nats"].unique()))]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for values, rows in frame.groupby([*keys], sort=False):
        cells = [f"{row['mean']:.2f} ({row['deviation']:.2f})" for _, row in rows.sort_values("nats").iterrows()]
        lines.append(f"| {' | '.join([*values, *cells])} |")
    return "\n".join(lines)


def _draw(frame: pd.DataFrame, picture: Path) -> None:
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    mean, deviation = figure.subplots(1, 2)
    for name, rows in frame.groupby("bound", sort=False):
        mean.plot(rows["nats"], rows["mean"], marker="o", label=name)
        deviation.plot(rows["nats"], rows["deviation"], marker="o", label=name)
    mean.plot(NATS, NATS, linestyle="--", color="grey", label="the truth")
    mean.axhline(math.log(PAIRS), linestyle=":", color="grey", label="log 64")
    mean.set(xlabel="mutual information, nats", ylabel="mean of the bound, nats")
    deviation.set(xlabel="mutual information, nats", ylabel="standard deviation, nats", yscale="log")
    mean.legend(frameon=False, fontsize="small")
    with mpl.rc_context({"svg.hashsalt": "distiller"}):
        figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
