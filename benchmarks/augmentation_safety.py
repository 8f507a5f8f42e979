"""Does a text keep its label when it is augmented? Distiller's augmenters and nlpaug's, judged by a fine-tuned teacher.

A teacher (MiniLM, 6 layers) is fine-tuned on all of TREC (6 classes), and on sentences of film reviews in two classes.
Of the first 500 training texts two copies are made with each augmenter at p = 0.1, 0.3 and 0.5. `same label`: the
share of copies of which the teacher says what it says of the text. `distinct`: the share that is neither the text nor
the other copy of it. A copy that is the text itself has its label for sure, so that one without the other says little:
`same, of changed` is the share among those that differ from the text.

    python benchmarks/augmentation_safety.py --out runs/augmentation
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from contenders import nlpaug_augmenters as nlpaug
from distiller import Pipeline, tasks, training
from distiller.augment import Step, adaptation, derived_seed
from distiller.augment.back_translation import BackTranslation
from distiller.augment.contextual import Contextual
from distiller.augment.random_words import RandomWords
from distiller.augment.spelling import Spelling
from distiller.augment.synonym import Synonym
from distiller.data import Examples
from distiller.models import load_classifier, load_config, load_tokenizer
from distiller.models.loading import locate
from distiller.training.evaluation import predict
from distiller.training.examples import Reader, encode
from speed import write_data

TEXTS, COPIES = 500, 2
FRACTIONS = (0.1, 0.3, 0.5)
Augment = Callable[[Sequence[str], int], list[str]]
Says = Callable[[Sequence[str]], np.ndarray]


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", help="A masked language model of BERT's kind; that of `contextual` if none is named."
    )
    parser.add_argument("--out", type=Path, default=Path("runs/augmentation"))
    arguments = parser.parse_args()
    model = arguments.model or adaptation.default_model()
    print("| data | augmenter | p | same label, % | distinct, % | same, of changed, % |\n|---|---|---|---|---|---|")
    for name, texts, says in judged(arguments.out):
        labels = says(texts)
        for p in FRACTIONS:
            for augmenter, augment in augmenters(model, p).items():
                copies = [augment(texts, derived_seed(0, copy)) for copy in range(COPIES)]
                print(_row(name, augmenter, p, texts, copies, [says(copy) == labels for copy in copies]), flush=True)
        back = BackTranslation().build()
        copy = back(texts, 0)
        print(_row(name, "back-translation", 1.0, texts, [copy], [says(copy) == labels]), flush=True)


def augmenters(model: str, p: float) -> dict[str, Augment]:
    """By name; each of ours is followed by nlpaug's."""
    ours: dict[str, Step] = {
        "contextual": Contextual(model=model, p=p),
        "synonym": Synonym(p=p),
        **{f"random, {action}": RandomWords(action=action, p=p) for action in ("swap", "delete", "crop")},  # type: ignore[arg-type]
        "spelling": Spelling(p=p),
    }
    theirs: dict[str, nlpaug.Augment] = {
        "contextual": nlpaug.contextual(Path(locate(model))),
        "synonym": nlpaug.synonyms(),
        **{f"random, {action}": nlpaug.random_words(action) for action in ("swap", "delete", "crop")},
        "spelling": nlpaug.keyboard(),
    }
    found: dict[str, Augment] = {}
    for name, step in ours.items():
        found[name] = step.build()
        found[f"{name} (nlpaug)"] = partial(_of_nlpaug, theirs[name], p)
    return found


def _of_nlpaug(augment: nlpaug.Augment, p: float, texts: Sequence[str], seed: int) -> list[str]:
    try:
        return augment(texts, p, seed % 2**32)
    except ValueError:  # its crop fails on texts of a word or two: those stay as they are
        return [_one_of_nlpaug(augment, p, text, derived_seed(seed, number)) for number, text in enumerate(texts)]


def _one_of_nlpaug(augment: nlpaug.Augment, p: float, text: str, seed: int) -> str:
    try:
        return augment([text], p, seed % 2**32)[0]
    except ValueError:
        return text


def judged(out: Path) -> list[tuple[str, list[str], Says]]:
    """Each dataset: its name, texts, and what the teacher says of any."""
    if not (out / "movies").exists():
        write_data(out / "movies")
    sources = {"TREC": "asset:trec", "films": str(out / "movies")}
    return [(name, *_judged(source, out / f"teacher-{name}")) for name, source in sources.items()]


def _judged(source: str, folder: Path) -> tuple[list[str], Says]:
    content: dict[str, Any] = {
        "data": {"source": source, "max_length": 64},
        "teacher": {
            "model": "asset:minilm-l6",
            "finetune": {"epochs": 3, "batch_size": 32, "learning_rate": 1e-4},
        },
        "student": {"layers": [0]},
    }
    pipeline = Pipeline.model_validate(content)
    if not (folder / "teacher").exists():
        training.finetune(pipeline, folder)
    model = str(folder / "teacher")
    loaded = load_classifier(model, {}, model, seed=0)
    reader = Reader(load_tokenizer(model, model), 64, load_config(model, model).max_position_embeddings)
    task = tasks.build("classification")

    def says(texts: Sequence[str]) -> np.ndarray:
        encoded = encode([Examples([(text,) for text in texts], None)], None, task, reader)
        return predict(loaded, encoded, model).logits.argmax(axis=1)

    from distiller import data

    train = data.load(pipeline.data, "classes", seed=0).train
    return [text for (text,) in train.texts[:TEXTS]], says


def _row(
    data: str, augmenter: str, p: float, texts: Sequence[str], copies: Sequence[list[str]], same: Sequence[np.ndarray]
) -> str:
    changed = np.array([[text != other for text, other in zip(texts, copy, strict=True)] for copy in copies])
    distinct = changed.copy()
    for later in range(1, len(copies)):
        for earlier in range(later):
            distinct[later] &= np.array([a != b for a, b in zip(copies[earlier], copies[later], strict=True)])
    kept = np.array(same)
    of_changed = f"{100 * kept[changed].mean():.1f}" if changed.any() else ""
    figures = f"{100 * kept.mean():.1f} | {100 * distinct.mean():.1f} | {of_changed}"
    return f"| {data} | {augmenter} | {p} | {figures} |"


if __name__ == "__main__":
    main()
