"""How long it takes to find out the features of a dataset of 100,000 texts, and which part of it takes that.

The texts are sentences of film reviews with a word of each changed, in four classes. Seconds of the processor: what
else runs on the machine takes its share of the clock.

    OMP_NUM_THREADS=1 python benchmarks/features.py
"""

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from distiller import data
from distiller.data import DataConfig, Dataset, Examples
from distiller.metafeatures.drawing import drawn
from distiller.metafeatures.encoder import sentence_vectors
from distiller.metafeatures.labels import label_features
from distiller.metafeatures.probe import probe_features
from distiller.metafeatures.words import word_features

CLASSES = ["bad", "poor", "fair", "good"]
Result = TypeVar("Result")


def main() -> None:
    """Time the parts, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--sentences", type=int, default=1, help="How many a text has.")
    arguments = parser.parse_args()
    dataset = _many(arguments.texts, arguments.sentences)
    began = time.process_time()
    print("| part | seconds |\n|---|---|")
    _timed("fingerprint of the data, for the cache", lambda: dataset.labelled_fingerprint)
    examples = _timed("drawing", lambda: drawn(dataset.train))
    vectors = _timed("loading the encoder, sentence vectors", lambda: sentence_vectors(examples.texts))
    _timed("probe", lambda: probe_features(vectors, examples, "classes", CLASSES))
    words = _timed("words", lambda: word_features(examples.texts))
    _timed("labels", lambda: label_features(dataset.train.labels or [], "classes", CLASSES))
    print(f"| all | {time.process_time() - began:.2f} |")
    read = 0 if vectors is None else len(vectors)
    print(f"\n{words['words_mean']:.1f} words a text; words of {len(examples):,} texts, vectors of {read}")


def _many(count: int, sentences: int) -> Dataset:
    """So many different texts that are like real ones."""
    real = data.load(DataConfig(source="asset:hutto-movies"), "numbers", seed=0)
    generator = random.Random(0)
    words = sorted({word for (text,) in real.train.texts for word in text.split()})

    def sentence() -> str:
        own = generator.choice(real.train.texts)[0].split()
        own[generator.randrange(len(own))] = generator.choice(words)
        return " ".join(own)

    texts = [(" ".join(sentence() for _ in range(sentences)),) for _ in range(count)]
    labels = [generator.choice(CLASSES) for _ in texts]
    columns = replace(real.columns, kind="classes")
    return replace(real, columns=columns, train=Examples(texts, labels), classes=CLASSES)


def _timed(part: str, work: Callable[[], Result]) -> Result:
    began = time.process_time()
    result = work()
    print(f"| {part} | {time.process_time() - began:.2f} |", flush=True)
    return result


if __name__ == "__main__":
    main()
