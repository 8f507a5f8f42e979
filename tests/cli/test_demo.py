"""The demo's claims about itself that hold without running it for minutes; `distiller demo` itself is the proof."""

import math
from importlib.resources import files

from distiller import Pipeline, data


def test_the_baseline_with_as_many_steps_has_as_many_steps() -> None:
    text = files("distiller.cli").joinpath("demo.yaml").read_text(encoding="utf-8")
    pipeline = Pipeline.from_text(text, "demo.yaml")
    dataset = data.load(pipeline.data, "classes", pipeline.seed)
    assert dataset.unlabelled is not None
    batch = pipeline.training.batch_size
    distilled = pipeline.training.epochs * math.ceil((len(dataset.train) + len(dataset.unlabelled)) / batch)
    source = files("distiller.cli").joinpath("demo.py").read_text(encoding="utf-8")
    epochs = int(source.split("training.epochs=")[1].split('"')[0])
    assert abs(epochs * math.ceil(len(dataset.train) / batch) - distilled) < math.ceil(len(dataset.train) / batch)
