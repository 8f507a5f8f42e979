"""What predict.py says is what transformers says, for each task and for other kinds of tokenizers."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from tokenizers.trainers import BpeTrainer, UnigramTrainer
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from architectures import drawn_with_head
from distiller import data, models, tasks
from distiller.data import DataConfig, Examples
from distiller.export import export
from distiller.export.runtime import write_runtime
from distiller.export.subject import subject
from distiller.models import HeadKind
from distiller.training import Reader, encode
from distiller.training.evaluation import judged
from tiny_runs import pipeline_of, write_questions

MARKS = {"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"}


def _questions(count: int) -> list[str]:
    texts = data.load(DataConfig(source="asset:trec"), "classes", 0).train.texts
    return [" ".join(text.split()) for (text,) in texts[:count]]


def _checkpoint(folder: Path, family: str, head: HeadKind, labels: Sequence[str], **fields: Any) -> PreTrainedModel:
    """A model beside its tokenizer, which lies in `folder` already."""
    own = AutoTokenizer.from_pretrained(folder)
    texts = own(_questions(100), padding=True, truncation=True, max_length=24, return_tensors="pt")
    names = dict(enumerate(labels))
    named = {"id2label": names, "label2id": {label: number for number, label in names.items()}}
    model = drawn_with_head(family, head, texts, pad_token_id=own.pad_token_id, **named, **fields)
    model.save_pretrained(folder)
    return model


def _by_words(folder: Path) -> None:
    models.load_tokenizer("asset:minilm-l6", "test").save_pretrained(folder)


def _byte_level(folder: Path) -> None:
    """As GPT-2, RoBERTa and ModernBERT have it: tokens are of bytes, a space belongs to the word after it."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=600, special_tokens=[*MARKS.values()], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(_questions(500), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **MARKS).save_pretrained(folder)


def _metaspace(folder: Path) -> None:
    """As SentencePiece, and so ALBERT and DeBERTa, have it: a space is a sign of its own kind."""
    tokenizer = Tokenizer(Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(vocab_size=600, special_tokens=[*MARKS.values()], unk_token="<unk>")
    tokenizer.train_from_iterator(_questions(500), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **MARKS).save_pretrained(folder)


def _predicted(folder: Path, *arguments: str) -> list[Any]:
    command = [sys.executable, str(folder / "predict.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _logits(model: PreTrainedModel, tokenizer: Any, *texts: str, at_most: int) -> torch.Tensor:
    with torch.inference_mode():
        return model(**tokenizer(*texts, truncation=True, max_length=at_most, return_tensors="pt")).logits[0]


def test_several_classes_by_names_that_would_break_yaml_and_markdown(tmp_path: Path) -> None:
    """And without any data: the model is held against words drawn from its vocabulary."""
    names = ["yes: 'no' | #1", "<script>alert(1)</script>", "--- {{ 7 * 7 }}\n---"]
    kind = {"problem_type": "multi_label_classification"}
    _byte_level(tmp_path / "model")
    model = _checkpoint(tmp_path / "model", "distilbert", "sequence", names, **kind)
    found = export(str(tmp_path / "model"), tmp_path / "onnx")
    assert found.forms["model.onnx"].scores is None
    assert "drawn from the vocabulary" in found.sentences[0]
    texts = [*_questions(12), "naïve café – 東京"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    expected = [torch.sigmoid(_logits(model, tokenizer, text, at_most=512)).numpy() for text in texts]
    labels = [said["labels"] for said in _predicted(tmp_path / "onnx", *texts)]
    assert {len(of_one) for of_one in labels} >= {1, 2}
    for said, probabilities in zip(labels, expected, strict=True):
        chosen = {names[number]: share for number, share in enumerate(probabilities.tolist()) if share > 0.5}
        assert said == pytest.approx(chosen, abs=1e-3)
    text = (tmp_path / "onnx" / "README.md").read_text()
    card = ModelCard(text)
    assert card.data.pipeline_tag == "text-classification"
    assert "<script>" not in text
    assert "49" not in text.split("Labels:")[1].split("\n")[0]
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "onnx"


def test_numbers_of_pairs(tmp_path: Path) -> None:
    _by_words(tmp_path / "model")
    model = _checkpoint(tmp_path / "model", "mpnet", "sequence", ["number"], problem_type="regression")
    pairs = [*zip(_questions(60)[:30], _questions(60)[30:], strict=True)]
    rows = [{"text": one, "other": other, "label": number / 10} for number, (one, other) in enumerate(pairs)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"source": str(tmp_path / "data.jsonl"), "text": ["text", "other"], "limit": None}
    pipeline = pipeline_of(
        tmp_path / "model", task="regression", data=source, objective={"prediction": {"type": "mse"}}
    )
    export(str(tmp_path / "model"), tmp_path / "onnx", pipeline)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    expected = [float(_logits(model, tokenizer, *pair, at_most=24)[0]) for pair in pairs]
    said = [found["value"] for found in _predicted(tmp_path / "onnx", *("\t".join(pair) for pair in pairs))]
    assert np.std(said) > 0.5
    np.testing.assert_allclose(said, expected, atol=1e-3)


def test_classes_of_words(tmp_path: Path) -> None:
    """As distiller evaluate has them, which the tests of tasks hold against seqeval and transformers."""
    names = ["O", "B-thing", "I-thing"]
    _metaspace(tmp_path / "model")
    model = _checkpoint(tmp_path / "model", "albert", "token", names, max_position_embeddings=24)
    export(str(tmp_path / "model"), tmp_path / "onnx")
    texts = [*_questions(30), "two  spaces", "unknown 東京 here", " ".join(["long"] * 40), "x"]
    tokenizer = models.load_tokenizer(str(tmp_path / "model"), "test")
    task = tasks.build("token-classification")
    read = encode([Examples([(text,) for text in texts], None)], names, task, Reader(tokenizer, 24, 24))
    expected = task.guesses(judged(model, read, task, "test"))
    assert set(expected) == {*names}
    said = _predicted(tmp_path / "onnx", *texts)
    assert [[word for word, _ in of_text] for of_text in said] == [text.split(" ") for text in texts]
    assert [label for of_text in said for _, label in of_text] == expected
    assert said[-2][-1] == ["long", "O"]  # cut off


def test_answers(tmp_path: Path) -> None:
    """Of parts of the context as transformers cuts them, all spans of whole words looked at one by one."""
    threshold = 0.5
    _byte_level(tmp_path / "model")
    model = _checkpoint(tmp_path / "model", "roberta", "span", ["begins", "ends"], no_answer_threshold=threshold)
    write_questions(tmp_path / "squad.json", articles=20)
    source = {"source": str(tmp_path / "squad.json"), "limit": None, "max_length": 48, "stride": 8}
    pipeline = pipeline_of(tmp_path / "model", task="question-answering", data=source)
    export(str(tmp_path / "model"), tmp_path / "onnx", pipeline)
    content = json.loads((tmp_path / "squad.json").read_text())["data"]
    asked = [
        (question["question"], paragraph["context"])
        for article in content[:4]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    asked += [(asked[0][0], " ".join(_questions(8))), (" ".join(_questions(4)), asked[0][1]), ("Who?", "")]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    said = _predicted(tmp_path / "onnx", *("\t".join(pair) for pair in asked))
    by_hand = [_answer(model, tokenizer, *pair, threshold) for pair in asked if _is_short(tokenizer, pair[0])]
    assert len(by_hand) == len(asked) - 1
    assert [
        found["answer"] for found, pair in zip(said, asked, strict=True) if _is_short(tokenizer, pair[0])
    ] == by_hand
    assert 0 < sum(answer == "" for answer in by_hand) < len(by_hand)
    for found, (_, context) in zip(said, asked, strict=True):
        if found["answer"]:
            assert context[found["start"] :].startswith(found["answer"])


def test_without_data_a_question_always_gets_an_answer(tmp_path: Path) -> None:
    """Nobody has settled when there is none."""
    _by_words(tmp_path / "model")
    _checkpoint(tmp_path / "model", "bert", "span", ["begins", "ends"])
    write_runtime(tmp_path, subject(str(tmp_path / "model"), None).examinee, 2, "model.onnx")
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["no_answer_threshold"] >= 1e9
    assert content["no_answer_token"] == 101
    assert (content["max_length"], content["stride"]) == (512, 170)


def _is_short(tokenizer: Any, question: str) -> bool:
    return len(tokenizer(question)["input_ids"]) <= 24


def _answer(model: PreTrainedModel, tokenizer: Any, question: str, context: str, threshold: float) -> str:
    parts = tokenizer(
        question, context, truncation="only_second", max_length=48, stride=8, return_overflowing_tokens=True,
        return_offsets_mapping=True, padding=True, return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        said = model(input_ids=parts["input_ids"], attention_mask=parts["attention_mask"])
    words = [*re.finditer(r"\w+|\S", context)]
    starts = {word.start(): number for number, word in enumerate(words)}
    stops = {word.end(): number + 1 for number, word in enumerate(words)}
    none, best = np.inf, (-np.inf, "")
    for row in range(len(parts["input_ids"])):
        begins, ends = said.start_logits[row].tolist(), said.end_logits[row].tolist()
        none = min(none, begins[0] + ends[0])
        offsets = parts["offset_mapping"][row].tolist()
        inside = [place for place, side in enumerate(parts.sequence_ids(row)) if side == 1]
        for first, last in itertools.product(inside, inside):
            start, stop = offsets[first][0], offsets[last][1]
            score = begins[first] + ends[last]
            if start in starts and stop in stops and 0 < stops[stop] - starts[start] <= 30 and score > best[0]:
                best = (score, context[start:stop])
    return best[1] if none - best[0] <= threshold else ""
