"""An encoder without a head for words learns to say masked ones."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM

from distiller import UserError, models
from distiller.augment import adaptation
from distiller.augment.contextual import Contextual
from processes import run_script

TOKENIZER = models.load_tokenizer("asset:minilm-l6", "test")
SENTENCES = [f"the {color} {thing} is very {size}" for color, thing, size in [
    ("red", "apple", "small"), ("white", "house", "large"), ("black", "dog", "old"), ("green", "tree", "tall"),
]]  # fmt: skip


@pytest.fixture
def little_english(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four sentences are all there is of it."""
    monkeypatch.setattr(adaptation, "general_texts", lambda: SENTENCES * 16)
    return own_cache


def test_masked_words_are_learned(little_english: Path, tiny_bert: Path) -> None:
    untaught, tokenizer = models.load_without_head_for_words(str(tiny_bert), "test", seed=0)
    taught, _ = models.load_masked_language_model(str(adaptation.adapted(str(tiny_bert), [], 60)), "test")
    before, after = (adaptation.guesses(model, tokenizer, SENTENCES * 8) for model in (untaught, taught))
    assert before is not None
    assert after is not None
    assert before.first < 0.05
    assert before.nats > 8  # a guess among 30,522 words costs 10.3
    assert after.first > 0.3
    assert after.among_five > after.first
    assert after.nats < before.nats - 0.5


def test_what_is_made_is_a_plain_folder_that_a_step_of_augmentation_takes(
    little_english: Path, tiny_bert: Path
) -> None:
    folder = adaptation.adapted(str(tiny_bert), [], 3)
    model, information = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not information["missing_keys"]
    assert not information["unexpected_keys"]
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert Contextual(model=str(folder)).build()(["the red apple"], 0)


def test_the_same_is_made_once_and_bit_for_bit_so_in_another_cache(
    little_english: Path, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = adaptation.adapted(str(tiny_bert), ["an own text"], 3)
    written = (first / "model.safetensors").stat().st_mtime_ns
    assert adaptation.adapted(str(tiny_bert), ["an own text"], 3) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == written
    assert adaptation.adapted(str(tiny_bert), ["another text"], 3) != first
    monkeypatch.setenv("DISTILLER_CACHE", str(tmp_path / "other"))
    second = adaptation.adapted(str(tiny_bert), ["an own text"], 3)
    assert second != first
    assert (second / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()


def test_own_texts_are_half_of_what_is_read_and_each_at_most_ten_times(little_english: Path) -> None:
    own = [*TOKENIZER(["my own text"])["input_ids"][0]]
    few = adaptation._samples(TOKENIZER, ["my own text"] * 3, steps=2)
    assert len(few) == 2 * adaptation.TEXTS_A_STEP
    assert [sample.tokens for sample in few].count(own) == 30
    unread = adaptation._samples(TOKENIZER, ["my own text", *["123"] * 99], steps=10)
    assert [sample.tokens for sample in unread].count(own) == 10
    many = adaptation._samples(TOKENIZER, ["my own text"] * 500, steps=2)
    assert [sample.tokens for sample in many].count(own) == adaptation.TEXTS_A_STEP


@given(st.lists(st.sampled_from(["serfdom", "the", "don't", "C++", "ice-cream", "antidisestablishmentarian", "a1b", "é", "10"]), max_size=9))  # fmt: skip # noqa: E501
def test_words_that_are_masked_are_whole_ones(words: list[str]) -> None:
    text = " ".join(words)
    encoded = TOKENIZER(text, return_offsets_mapping=True)
    for sample in adaptation._read(TOKENIZER, [text]):
        for place in sample.words:
            start, end = encoded["offset_mapping"][place]
            assert text[start:end].isalpha()
            around = text[start - 1 : start] + text[end : end + 1]
            assert not any(character.isalnum() for character in around)


def test_of_a_batch_three_in_ten_words_are_masked_and_kept_as_what_is_right() -> None:
    texts = ["one two three four five six seven eight nine ten", "red green"]
    samples = adaptation._read(TOKENIZER, texts)
    inputs, (rows, places), words = adaptation._masked(samples, TOKENIZER, torch.Generator().manual_seed(0))
    assert rows.tolist() == [0, 0, 0, 1]
    assert (inputs["input_ids"][rows, places] == TOKENIZER.mask_token_id).all()
    assert (inputs["input_ids"] == TOKENIZER.mask_token_id).sum() == 4
    for row, place, word in zip(rows.tolist(), places.tolist(), words.tolist(), strict=True):
        assert samples[row].tokens[place] == word
        inputs["input_ids"][row, place] = word
    restored = TOKENIZER.batch_decode(inputs["input_ids"], skip_special_tokens=True)
    assert restored == texts


DYING = """
import os, signal, sys
from distiller.augment import adaptation
adaptation.general_texts = lambda: ["the red apple is small"] * 64
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
adaptation.models.save = die
adaptation.adapted(sys.argv[1], [], 2)
"""


def test_of_a_killed_process_nothing_is_taken_for_a_model(little_english: Path, tiny_bert: Path) -> None:
    dead = run_script(DYING, tiny_bert)
    assert dead.returncode == -signal.SIGKILL
    assert not [path for path in (little_english / "adapted").iterdir() if path.is_dir()]
    assert (adaptation.adapted(str(tiny_bert), [], 2) / "model.safetensors").is_file()


@pytest.mark.parametrize("at_hand", [True, False])
def test_the_hubs_model_is_taken_where_it_can_be_had(
    *, at_hand: bool, little_english: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "is_at_hand", lambda _: at_hand)
    monkeypatch.setattr(adaptation, "BASE", str(tiny_bert))
    monkeypatch.setattr(adaptation, "STEPS", 2)
    adaptation.default_model.cache_clear()
    try:
        named = adaptation.default_model()
    finally:
        adaptation.default_model.cache_clear()
    assert named == adaptation.HUB_MODEL if at_hand else Path(named).parent == little_english / "adapted"


def test_what_was_made_once_stays_the_one_of_this_machine(
    little_english: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = []
    for at_hand in (False, True):
        monkeypatch.setattr(adaptation, "is_at_hand", lambda _, at_hand=at_hand: at_hand)
        monkeypatch.setattr(adaptation, "BASE", str(tiny_bert))
        monkeypatch.setattr(adaptation, "STEPS", 2)
        adaptation.default_model.cache_clear()
        named.append(adaptation.default_model())
    adaptation.default_model.cache_clear()
    assert named[0] == named[1] != adaptation.HUB_MODEL


def test_texts_without_words_have_nothing_to_guess(little_english: Path, tiny_bert: Path) -> None:
    model, tokenizer = models.load_without_head_for_words(str(tiny_bert), "test", seed=0)
    assert adaptation.guesses(model, tokenizer, ["12345 !!", ""]) is None


def test_general_english_is_of_several_kinds() -> None:
    texts = adaptation.general_texts()
    assert len(texts) > 150_000
    assert "a motor vehicle with four wheels" in texts
    assert "he needs a car to get to work" in texts  # the example of that sense


def test_an_encoder_that_is_not_there_is_named(own_cache: Path) -> None:
    with pytest.raises(UserError, match=r"adapt-masked-lm: './no' is a path, and there is no such folder"):
        adaptation.adapted("./no", [], 2)


def _lose_a_layer(encoder: Path) -> None:
    weights = load_file(encoder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "encoder.layer.1." not in name}
    save_file(kept, encoder / "model.safetensors", {"format": "pt"})


def _cut_off_weights(encoder: Path) -> None:
    os.truncate(encoder / "model.safetensors", 5000)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_lose_a_layer, r"is damaged: its weights do not fit its config\.json: bert\.encoder\..* is not there"),
        (_cut_off_weights, r"is damaged \(.*\); save it again"),
    ],
)
def test_a_damaged_encoder_is_refused_before_anything_is_made(
    little_english: Path, tiny_bert: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_bert, encoder)
    damage(encoder)
    with pytest.raises(UserError, match=rf"^adapt-masked-lm: '{encoder}' {said}"):
        adaptation.adapted(str(encoder), [], 2)
    assert not (little_english / "adapted").exists()
