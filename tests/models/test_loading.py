from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config

from distiller import models
from distiller.errors import UserError

TINY = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=60)


def test_the_asset_is_a_bert_of_six_layers_and_reads_text() -> None:
    config = models.load_config("asset:minilm-l6", "teacher.model")
    assert (config.model_type, config.num_hidden_layers, config.hidden_size) == ("bert", 6, 384)
    tokenizer = models.load_tokenizer("asset:minilm-l6", "teacher.model")
    # Ids of BERT's uncased vocabulary, as published: [CLS] hello world [SEP].
    assert tokenizer("Hello world")["input_ids"] == [101, 7592, 2088, 102]


def test_a_head_that_the_checkpoint_lacks_follows_the_seed_and_nothing_else() -> None:
    head = {"num_labels": 3}
    torch.manual_seed(1)
    first = models.load_classifier("asset:minilm-l6", head, "teacher.model", seed=5)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    again = models.load_classifier("asset:minilm-l6", head, "teacher.model", seed=5)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = models.load_classifier("asset:minilm-l6", head, "teacher.model", seed=6)
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_a_checkpoint_in_half_precision_is_loaded_in_float32(tmp_path: Path) -> None:
    BertForSequenceClassification(TINY).half().save_pretrained(tmp_path)
    assert models.load_classifier(str(tmp_path), {}, "student.model", seed=0).dtype is torch.float32


def test_pickled_weights_are_never_opened(tmp_path: Path) -> None:
    model = BertForSequenceClassification(TINY)
    TINY.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"teacher\.model: cannot load .*safetensors"):
        models.load_classifier(str(tmp_path), {}, "teacher.model", seed=0)


@pytest.mark.parametrize("name", ["no-such-folder/nor-model", "not a name", "/nowhere/at/all"])
def test_a_model_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(UserError, match=rf"student\.model: cannot load '{name}'"):
        models.load_config(name, "student.model")


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    TINY.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"teacher\.model: cannot load"):
        models.load_classifier(str(tmp_path), {}, "teacher.model", seed=0)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    BertForSequenceClassification(TINY).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match=r"teacher\.model: cannot load"):
        models.load_classifier(str(tmp_path), {}, "teacher.model", seed=0)


def test_a_model_without_a_sequence_classification_head_is_refused(tmp_path: Path) -> None:
    from transformers import VitsConfig

    VitsConfig().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="vits model, which has no sequence-classification head"):
        models.load_config(str(tmp_path), "teacher.model")
    GPT2Config().save_pretrained(tmp_path)
    assert models.load_config(str(tmp_path), "teacher.model").model_type == "gpt2"


def test_tokenizers_are_compared_by_what_they_do(tmp_path: Path) -> None:
    first = models.load_tokenizer("asset:minilm-l6", "teacher.model")
    first.save_pretrained(tmp_path)
    again = models.load_tokenizer(str(tmp_path), "student.model")
    assert models.same_tokenizer(first, again)
    first(["a text that is cut", "and one that is not"], truncation=True, padding=True, max_length=4)
    assert models.same_tokenizer(first, again)
    again.add_tokens(["distillation"])
    assert not models.same_tokenizer(first, again)
