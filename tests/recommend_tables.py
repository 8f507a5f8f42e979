"""Made-up tables of runs on many datasets, of which it is known what is good there."""

import numpy as np
import pandas as pd

KINDS = np.array(["mi", "mse", "cos", "pkd"], object)
EFFECT = np.array([0.02, 0.01, 0.0, -0.01])


def runs(
    datasets: int = 8, each: int = 60, seed: int = 0, *, noise: float = 0.01, disagreement: float = 0.005
) -> pd.DataFrame:
    """Records in which one choice matters, somewhat differently on each dataset, and levels differ far more."""
    random = np.random.default_rng(seed)
    data = np.repeat(np.arange(datasets), each)
    kind, mapping = random.integers(4, size=len(data)), random.integers(2, size=len(data))
    mixup, epochs = random.random(len(data)) < 0.5, random.integers(1, 4, size=len(data))
    likes = random.normal(0, disagreement, size=(datasets, 4))
    retention = random.normal(0.9, 0.05, datasets)[data] + EFFECT[kind] + likes[data, kind] + 0.01 * mixup
    examples = (500 * 2.0 ** np.arange(datasets))[data]
    return pd.DataFrame(
        {
            "id": [f"{seed}-{number}" for number in range(len(data))],
            "status": "finished",
            "data.source": [f"data-{number}" for number in data],
            "data.n_train": examples,
            "data.features.words_mean": (10.0 + np.arange(datasets))[data],
            "data.features.label_entropy": (0.5 + 0.05 * np.arange(datasets))[data],
            "teacher.parameters": 22e6,
            "student.parameters": random.choice([5e6, 11e6], size=len(data)),
            "student.layers": 2,
            "student.width": 32,
            "pipeline.task": "classification",
            "pipeline.objective.intermediate.type": KINDS[kind],
            "pipeline.objective.intermediate.alpha": np.where(kind == 0, 0.9, np.nan),
            "pipeline.objective.prediction.type": np.array(["kl", "ce"], object)[random.integers(2, size=len(data))],
            "pipeline.mapping.type": np.array(["skip", "last"], object)[mapping],
            "pipeline.augmentation.mixup.beta": np.where(mixup, 0.4, np.nan),
            "pipeline.training.epochs": epochs,
            "pipeline.training.learning_rate": 1e-3,
            "pipeline.training.batch_size": 8,
            "cost.train_seconds": 1e-6 * examples * epochs * 2 * 32**2,
            "retention": retention + random.normal(0, noise, size=len(data)),
        }
    )
