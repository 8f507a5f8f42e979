"""What reports are made of, made up: a run record, the summary of a search, an analysis."""

from itertools import combinations, product
from types import SimpleNamespace
from typing import Any

import numpy as np
from pandas import DataFrame

from distiller import runs

MARKUP = "<script>alert(1)</script>"
DATASETS = ["trec", "sms-spam", "movie-reviews", "wnut-17", MARKUP]
GROUPS = ["augmentation", "teacher", "student", "mapping", "prediction objective", "intermediate objective", "training"]
CHOICES = {
    "augmentation.steps": ["none", "contextual", "contextual + random swap", "back-translation"],
    "augmentation.mixup.beta": ["none", "0.4"],
    "teacher.model": ["minilm-l6", "mpnet-base"],
    "student.layers": ["2", "3", "4"],
    "student.init": ["pretrained", "teacher", "random"],
    "mapping.type": ["skip", "last", "uniform", "emd"],
    "objective.prediction.type": ["kl", "ce", "mse", "dkd", "logit_standardised"],
    "objective.prediction.temperature": ["1", "2", "4", "8"],
    "objective.hard_label.weight": ["0", "0.5"],
    "objective.intermediate.type": ["none", "mse", "cos", "mi", "infonce", "simple_contrastive"],
    "training.learning_rate": ["3e-05", "0.0001", "0.0003"],
    "training.epochs": ["3", "6"],
}
METHODS = {"functional ANOVA": 1.0, "PED-ANOVA": 0.8, "permutation": 1.2}


def run_record(score: float = 0.9, **changes: Any) -> runs.RunRecord:
    """A run that has finished, with what it logged on the way."""
    made = runs.new_record({"task": "classification", "data": {"source": "asset:trec"}}, seed=3)
    made.id, made.created, made.status = "20260101T000000-abc", "2026-01-01T00:00:00+00:00", "finished"
    made.data = {
        "source": "asset:trec",
        "n_train": 500,
        "class_counts": {"LOC": 3, "NUM": 4},
        "overlap": {"train/test": 0},
    }
    made.teacher = {"layers": 6, "parameters": 22_715_526, "size_mb": 91.59}
    made.student = {"layers": 3, "parameters": 17_392_134, "size_mb": 70.29}
    splits = {"validation": {"accuracy": 0.95, "f1": 0.8}, "test": {"accuracy": 0.96, "f1": 0.7}}
    made.metrics = {
        "primary": "accuracy",
        "split": "test",
        "score": score,
        "teacher": splits,
        "student": {**splits, "test": {"accuracy": score, "f1": 0.5}},
        "history": [
            {"step": 1, "epoch": 0.5, "loss": 2.0, "prediction.kl": 2.0, "seconds": 1.0},
            {"step": 2, "epoch": 1.0, "loss": 1.0, "prediction.kl": 1.0, "seconds": 2.0},
            {"step": 2, "epoch": 1.0, "eval_accuracy": 0.6, "seconds": 2.0},
            {"step": 4, "epoch": 2.0, "eval_accuracy": 0.7, "seconds": 4.0},
        ],
    }
    made.retention = score / 0.96
    made.cost = {"finetune_seconds": 42.0, "train_seconds": 123.4, "examples_per_second": 212.5}
    made.latency = {
        "teacher": {"median_ms": 10.0, "p95_ms": 12.0, "sentences_per_second": 400.0},
        "student": {"median_ms": 4.0, "p95_ms": 6.0, "sentences_per_second": 900.0},
    }
    return made.model_copy(update=changes)


def run_record_of_layers() -> runs.RunRecord:
    """One whose layers were compared, with what was logged of each pair over many steps."""
    made = run_record()
    steps = range(1, 41)
    logged = [
        {
            "step": step,
            "epoch": step / 10,
            "prediction.kl": 2.0 / step,
            "intermediate.mi": 3.0 / step**0.5,
            **{
                f"mutual_information.{student}-{teacher}": (student + teacher / 3) * (1 - 0.9**step) / 3
                for student in range(4)
                for teacher in (0, 3, 6, 9, 12)
            },
            **{
                f"mapping.{student}-{teacher}": 1 / (1 + abs(3 * student - teacher))
                for student in range(4)
                for teacher in (0, 3, 6, 9, 12)
            },
        }
        for step in steps
    ]
    made.metrics["history"] += logged
    return made


def search_summary(trials: int = 24) -> dict[str, Any]:
    """Of a search for two goals, of which every fifth trial was pruned."""
    chance = np.random.default_rng(0)
    losses = ["kl", "mse", MARKUP]
    made = [
        {
            "trial": number,
            "state": "pruned" if number % 5 == 4 else "complete",
            "point": {
                "objective.prediction.type": losses[number % 3],
                "mapping.type": ["skip", "last", "emd"][number % 4 % 3],
                "objective.intermediate.type": [None, "mi"][number % 2],
                "student.layers": number % 4 + 2,
                "training.learning_rate": float(10 ** chance.uniform(-5, -3)),
            },
            "values": None if number % 5 == 4 else [float(chance.uniform(0.8, 1)), float(chance.uniform(2, 30))],
            "epochs": {"1": 0.7, "2": float(chance.uniform(0.7, 0.9))},
            "seconds": float(chance.uniform(9, 120)),
            "failure": None,
        }
        for number in range(trials)
    ]
    finished = [trial for trial in made if trial["values"]]
    front = [
        one["trial"]
        for one in finished
        if not any(
            other["values"][0] > one["values"][0] and other["values"][1] < one["values"][1] for other in finished
        )
    ]
    return {"objectives": ["retention", "latency"], "trials": made, "front": front}


def analysis(**changes: Any) -> SimpleNamespace:
    """Of five datasets, one of which is called as a script would be."""
    chance = np.random.default_rng(0)
    made = {
        "about": {
            "runs": 809,
            "finished": 800,
            "pruned": 5,
            "failed": 4,
            "datasets": 5,
            "teachers": 4,
            "surrogate_r2": 0.61,
            "surrogate_r2_low": 0.55,
            "surrogate_r2_high": 0.66,
            "explained": 0.79,
            "explained_low": 0.7,
            "explained_high": 0.84,
            "level": 0.95,
        },
        "sentences": [
            "The intermediate objective matters most: it explains 31% of the differences in retention.",
            "On all datasets together, mi brings 1.9 points of retention over none (0.8 to 3.0).",
            "What augmentation brings depends on the dataset: 2.1 points on trec, none on sms-spam.",
        ],
        "notes": ["9 runs of 809 did not finish and are left out.", "student.width is the same in all runs."],
        "importance": _importance(chance),
        "contrasts": _contrasts(chance),
        "winners": _winners(chance),
        "best": _best(chance),
        "likeness": _likeness(chance),
        "cells": _cells(chance),
    }
    return SimpleNamespace(**{**made, **changes})


def empty_analysis() -> SimpleNamespace:
    """An analysis of a table too small to say anything."""
    frames = ("importance", "contrasts", "winners", "best", "likeness", "cells")
    empty = {name: DataFrame() for name in frames}
    return SimpleNamespace(about={"runs": 1}, sentences=["1 run says nothing."], notes=[], **empty)


def _importance(chance: np.random.Generator) -> DataFrame:
    names = [("group", name, name) for name in GROUPS]
    names += [("choice", name, name.split(".")[0]) for name in CHOICES]
    names += [("pair", " × ".join(pair), "") for pair in [*combinations(CHOICES, 2)][:25]]
    names += [("dataset", f"{name} × dataset", "") for name in CHOICES]
    rows = []
    for kind, name, group in names:
        size = float(chance.beta(1, 7))
        for method, factor in METHODS.items():
            if kind != "choice" and method != "functional ANOVA":
                continue
            value = min(0.9, size * factor)
            spread = 0.02 + 0.2 * value
            known = not (name in ("teacher", "teacher.model") and method != "PED-ANOVA")
            rows.append(
                {
                    "method": method,
                    "kind": kind,
                    "name": name,
                    "group": group,
                    "value": value,
                    "low": max(0.0, value - spread) if known else 0.0,
                    "high": value + spread if known else 0.35,
                    "known": known,
                }
            )
    return DataFrame(rows)


def _contrasts(chance: np.random.Generator) -> DataFrame:
    places = [("overall", "")] + [("dataset", name) for name in DATASETS]
    places += [("data size", "from 20,000 examples"), ("student size", "below 14,500,000 parameters")]
    rows = []
    for choice, levels in CHOICES.items():
        for (scope, part), other in product(places, levels[1:3]):
            difference = float(chance.normal(0, 0.012))
            spread = float(chance.uniform(0.004, 0.02))
            rows.append(
                {
                    "choice": choice,
                    "level": other,
                    "other": levels[0],
                    "scope": scope,
                    "part": part,
                    "difference": difference,
                    "low": difference - spread,
                    "high": difference + spread,
                    "p": float(np.exp(-4 * abs(difference) / spread)),
                    "adjusted_p": min(1.0, float(10 * np.exp(-4 * abs(difference) / spread))),
                    "supported": abs(difference) > spread,
                    "runs": int(chance.integers(10, 200)),
                    "other_runs": int(chance.integers(10, 200)),
                }
            )
    return DataFrame(rows)


def _winners(chance: np.random.Generator) -> DataFrame:
    rows = [
        {
            "choice": choice,
            "dataset": dataset,
            "level": levels[int(chance.integers(len(levels)))],
            "chance": float(chance.uniform(0.3, 1)),
            "advantage": float(chance.uniform(0, 0.03)),
            "low": -0.01,
            "high": 0.04,
            "runs": int(chance.integers(10, 200)),
        }
        for choice, levels in CHOICES.items()
        for dataset in DATASETS
    ]
    rows[3]["chance"] = float("nan")
    return DataFrame(rows)


def _best(chance: np.random.Generator) -> DataFrame:
    return DataFrame(
        [
            {
                "dataset": dataset,
                "rank": rank,
                "pipeline": "augmentation contextual, mapping emd, prediction kl at 4, intermediate mi",
                "retention": float(chance.uniform(0.9, 1.01)),
                "expected": 0.95,
                "low": 0.93,
                "high": 0.97,
                "run": f"20261130T0815{rank:02}-{dataset[:3]}",
            }
            for dataset in DATASETS
            for rank in range(1, 6)
        ]
    )


def _likeness(chance: np.random.Generator) -> DataFrame:
    rows = [
        {
            "dataset": one,
            "other": other,
            "correlation": float(chance.uniform(-0.4, 0.95)),
            "low": -0.5,
            "high": 0.97,
            "shared": int(chance.integers(5, 90)),
        }
        for one, other in combinations(DATASETS, 2)
    ]
    rows[2]["correlation"] = float("nan")
    return DataFrame(rows)


def _cells(chance: np.random.Generator) -> DataFrame:
    rows = []
    for choice, other in [*combinations(CHOICES, 2)][::14]:
        for level, other_level in product(CHOICES[choice], CHOICES[other]):
            expected = float(chance.uniform(0.85, 1))
            rows.append(
                {
                    "pair": f"{choice} × {other}",
                    "choice": choice,
                    "other_choice": other,
                    "level": level,
                    "other_level": other_level,
                    "expected": expected,
                    "low": expected - 0.03,
                    "high": expected + 0.02,
                    "runs": int(chance.integers(0, 40)),
                }
            )
    return DataFrame(rows)
