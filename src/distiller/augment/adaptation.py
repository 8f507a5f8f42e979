"""A masked language model made in minutes, of an encoder that came without a head for words.

No package index has a good one of English, but there are sentence encoders that began as one. Such an encoder gets a
head that shares its word embeddings, and learns to say masked words of general English, and of the user's own texts.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase, get_linear_schedule_with_warmup

from distiller import assets, data, models
from distiller.assets import cache_folder
from distiller.augment.wordnet import WordNet
from distiller.data import DataConfig
from distiller.files import write_json
from distiller.hub import is_at_hand
from distiller.machine import has_bfloat16

HUB_MODEL = "distilbert/distilbert-base-uncased"
BASE = "asset:minilm-l6"
GENERAL = ("asset:hutto-tweets", "asset:hutto-amazon", "asset:hutto-nyt", "asset:tweets-sentiment")
PLACE = "adapt-masked-lm"

STEPS, TEXTS_A_STEP = 800, 64
LEARNING_RATE, WARMUP, WEIGHT_DECAY, GRADIENT_CLIP = 5e-4, 0.1, 0.01, 1.0
MASKED = 0.3
"""Of the words of a text that can be masked: as many as a step of augmentation masks."""
MOST_TOKENS = 64
PASSES = 10
"""Texts of the user's own are seen at most so often, and make up half of all at most."""


@dataclass(frozen=True)
class Sample:
    """A text as tokens, and the positions of those that are whole words."""

    tokens: list[int]
    words: list[int]


@dataclass(frozen=True)
class Guesses:
    """How well masked words are guessed: shares of them, and the mean of what the right one costs.

    Attributes:
        first: The word that is most probable is the right one.
        among_five: One of the five most probable is.
        nats: Minus the logarithm of its probability.
    """

    first: float
    among_five: float
    nats: float


@cache
def default_model() -> str:
    """The hub's, if it is in its cache or can be reached; else one that is made here, once.

    What was made here stays the one on this machine: which it is does not change with the network of the moment.
    """
    note = cache_folder() / "adapted" / "default.json"
    kept = json.loads(note.read_text(encoding="utf-8"))["model"] if note.exists() else None
    if kept is not None and Path(kept).is_dir():
        return str(kept)
    if is_at_hand(HUB_MODEL):
        return HUB_MODEL
    made = str(adapted(BASE, [], STEPS))
    write_json(note, {"model": made})
    return made


def adapted(base: str, texts: Sequence[str], steps: int) -> Path:
    """The folder of a masked language model, a plain one of transformers; kept in the cache, made if it is not there.

    Any number of processes may ask at once: one makes it, the others wait. A killed one leaves nothing.

    Args:
        base: An encoder: `asset:NAME`, a folder or a hub id.
        texts: What it is to know besides general English; may be none.
        steps: Of training.

    Raises:
        UserError: If the encoder, or the general texts, cannot be loaded.
    """
    model, tokenizer = models.load_without_head_for_words(base, PLACE, seed=0)
    folder = cache_folder() / "adapted" / _key(model, tokenizer, texts, steps)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            line = f"contextual: teaching {base} to say masked words, once on this machine; a few minutes"
            Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
            _teach(model, _samples(tokenizer, [*texts], steps), tokenizer, steps)
            models.save(model, tokenizer, folder)
    return folder


def general_texts() -> list[str]:
    """English of several kinds: what WordNet says of its words, tweets, sentences of reviews and editorials."""
    texts = [*WordNet(assets.fetch("wordnet", "lexicon")).sentences()]
    for source in GENERAL:
        dataset = data.load(DataConfig(source=source), "numbers" if "hutto" in source else "classes", seed=0)
        texts += [text for split in (dataset.train, dataset.validation, dataset.test) for (text,) in split.texts]
    return texts


@torch.inference_mode()
def guesses(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Guesses | None:
    """How well the whole words of texts are guessed when three in ten are masked; None if there are none."""
    generator = torch.Generator().manual_seed(0)
    scores, right = [], []
    samples = _read(tokenizer, texts)
    if not samples:
        return None
    for batch in _batches(samples, generator):
        inputs, places, words = _masked(batch, tokenizer, generator)
        scores.append(models.scores_at(model.eval(), inputs, places).float())
        right.append(words)
    said, wanted = torch.cat(scores), torch.cat(right)
    ranks = (said > said.gather(1, wanted.unsqueeze(1))).sum(dim=1)
    nats = functional.cross_entropy(said, wanted)
    return Guesses(float((ranks == 0).float().mean()), float((ranks < 5).float().mean()), float(nats))


def _key(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], steps: int) -> str:
    content = {
        "base": models.fingerprint(model),
        "tokenizer": models.tokenizer_fingerprint(tokenizer),
        "texts": hashlib.sha256(json.dumps([*texts]).encode()).hexdigest(),
        "general": [*GENERAL, "asset:wordnet"],
        "training": [steps, TEXTS_A_STEP, LEARNING_RATE, WARMUP, WEIGHT_DECAY, MASKED, PASSES, MOST_TOKENS],
        "precision": has_bfloat16(),
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _samples(tokenizer: PreTrainedTokenizerBase, own: list[str], steps: int) -> list[Sample]:
    """As many as the steps take: half of them the user's own texts if there are enough, the rest general English."""
    generator = torch.Generator().manual_seed(0)
    wanted = steps * TEXTS_A_STEP
    read = _read(tokenizer, own)
    mine = _drawn(read, min(wanted // 2, PASSES * len(read)), generator)
    general = general_texts()
    chosen = torch.randperm(len(general), generator=generator)[:wanted].tolist()
    others = _read(tokenizer, [general[number] for number in chosen])
    return [*mine, *_drawn(others, wanted - len(mine), generator)]


def _drawn(samples: Sequence[Sample], count: int, generator: torch.Generator) -> list[Sample]:
    """So many of them, all equally often."""
    drawn: list[int] = []
    while samples and len(drawn) < count:
        drawn += torch.randperm(len(samples), generator=generator).tolist()
    return [samples[number] for number in drawn[:count]]


def _read(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Sample]:
    """Those texts that have a whole word."""
    if not texts:
        return []
    words = models.whole_words(tokenizer)
    encoded: Any = tokenizer([*texts], truncation=True, max_length=MOST_TOKENS)
    found = []
    for row, tokens in enumerate(encoded["input_ids"]):
        of_word = encoded.word_ids(row)
        alone = [
            place
            for place, (word, token) in enumerate(zip(of_word, tokens, strict=True))
            if words[token] is not None and word not in (of_word[place - 1], *of_word[place + 1 : place + 2])
        ]
        if alone:
            found.append(Sample(tokens, alone))
    return found


def _batches(samples: Sequence[Sample], generator: torch.Generator) -> Iterator[list[Sample]]:
    """Of like length, in any order."""
    alike = sorted(samples, key=lambda sample: len(sample.tokens))
    batches = [alike[start : start + TEXTS_A_STEP] for start in range(0, len(alike), TEXTS_A_STEP)]
    for number in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[number]


def _masked(
    samples: Sequence[Sample], tokenizer: PreTrainedTokenizerBase, generator: torch.Generator
) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor], Tensor]:
    """A batch with masks: inputs [batch, length], where the masks are, both [masks], and what stood there [masks]."""
    padded = tokenizer.pad({"input_ids": [sample.tokens for sample in samples]}, return_tensors="pt")
    chosen = [(row, place) for row, sample in enumerate(samples) for place in _some(sample.words, generator)]
    rows, places = (torch.tensor(side) for side in zip(*chosen, strict=True))
    tokens: Tensor = padded["input_ids"]
    words = tokens[rows, places]
    tokens[rows, places] = int(tokenizer.mask_token_id)
    return {"input_ids": tokens, "attention_mask": padded["attention_mask"]}, (rows, places), words


def _some(places: Sequence[int], generator: torch.Generator) -> list[int]:
    count = max(1, round(MASKED * len(places)))
    return [places[number] for number in torch.randperm(len(places), generator=generator)[:count].tolist()]


def _teach(model: PreTrainedModel, samples: Sequence[Sample], tokenizer: PreTrainedTokenizerBase, steps: int) -> None:
    """All weights, in one pass without dropout, so that nothing but the masks is drawn."""
    device: Any = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    model.eval()
    _move(model, device)
    generator = torch.Generator().manual_seed(1)
    fused = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = get_linear_schedule_with_warmup(fused, round(WARMUP * steps), steps)
    with _bar() as bar:
        for batch in bar.track(_batches(samples, generator), total=steps, description="teaching masked words"):
            inputs, places, words = _masked(batch, tokenizer, generator)
            given = {name: tensor.to(device) for name, tensor in inputs.items()}
            with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16()):
                scores = models.scores_at(model, given, (places[0].to(device), places[1].to(device)))
            functional.cross_entropy(scores.float(), words.to(device)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_CLIP)
            fused.step()
            schedule.step()
            fused.zero_grad()
    _move(model, torch.device("cpu"))


def _move(model: Any, device: torch.device) -> None:
    model.to(device)


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        disable=not console.is_terminal,
    )
