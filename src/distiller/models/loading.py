"""Loading tokenizers and sequence classifiers from an asset, a folder or the hub; safetensors only."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from distiller import assets
from distiller.errors import UserError, did_you_mean
from distiller.hub import quiet_hub
from distiller.models.heads import AUTO, NAMES, HeadKind

ASSET = "asset:"


def locate(model: str) -> str:
    """The folder of `asset:NAME`, or a folder that exists, or else a hub id, as transformers takes it."""
    if model.startswith(ASSET):
        return str(assets.fetch(model.removeprefix(ASSET), "model"))
    return str(Path(model).expanduser()) if Path(model).expanduser().is_dir() else model


def _refuse_wrong_folder(model: str, place: str) -> None:
    """Refuse a path that leads nowhere, which the hub would take for an id, and a folder of a run or a fine-tuning."""
    if model.startswith(ASSET):
        return
    path = Path(model).expanduser()
    if path.is_dir():
        inner = [name for name in ("student", "teacher") if (path / name).is_dir()]
        if inner and not (path / "config.json").exists():
            raise UserError(place, f"{model!r} holds no model itself; name {str(Path(model) / inner[0])!r}")
    elif _is_path(model):
        beside = [str(Path(model).parent / entry.name) for entry in path.parent.glob("*") if entry.is_dir()]
        mend = did_you_mean(str(Path(model)), beside) or "; name a folder, asset:NAME or a hub id"
        raise UserError(place, f"{model!r} is a path, and there is no such folder{mend}")


def _is_path(model: str) -> bool:
    """Whether it can be no hub id, or names something in a folder that is there."""
    return model.startswith((".", "/", "~")) or ("/" in model and Path(model).parent.is_dir())


def load_config(model: str, place: str, kind: HeadKind = "sequence") -> PretrainedConfig:
    """The transformers config of `model`.

    Raises:
        UserError: At `place`, if there is no such model, its config makes no model, or it is no encoder with a
            head of that kind in transformers.
    """
    with read_from(model, place):
        config: PretrainedConfig = AutoConfig.from_pretrained(locate(model))
    lacking = _what_it_lacks(config, kind)
    if lacking:
        raise UserError(place, f"{model!r} is a {config.model_type} model, which {lacking}; give an encoder, e.g. BERT")
    with read_from(model, place):
        _without_weights(config, kind)
    return config


def _what_it_lacks(config: PretrainedConfig, kind: HeadKind) -> str | None:
    """Why a model of this config is nothing to distil; None if it is."""
    if type(config) not in AUTO[kind]._model_mapping:
        return f"has no {NAMES[kind]} head"
    if config.is_encoder_decoder:
        return "has a decoder after its encoder"
    if getattr(config, "is_decoder", False) or _reads_leftwards_alone(config):
        return "is a decoder: it reads each token without those after it"
    if not _states_its_depth(config):
        return "has no plain list of layers that all read the whole text"
    return None


def _reads_leftwards_alone(config: PretrainedConfig) -> bool:
    # XLNet was trained on words in any order: it is the one encoder that writes without having masks.
    writes = type(config) in AutoModelForCausalLM._model_mapping and config.model_type != "xlnet"
    return writes and type(config) not in AutoModelForMaskedLM._model_mapping


def _states_its_depth(config: PretrainedConfig) -> bool:
    """Whether there is a number of layers, and not one of blocks (Funnel) or of the parts of a composed model."""
    try:
        config.num_hidden_layers = config.num_hidden_layers
    except (AttributeError, NotImplementedError):
        return False
    return True


def _without_weights(config: PretrainedConfig, kind: HeadKind = "sequence") -> PreTrainedModel:
    """The model of a config, to look at: nothing is allocated."""
    with torch.device("meta"), quiet():
        model: PreTrainedModel = AUTO[kind].from_config(config)
    return model


def load_tokenizer(model: str, place: str) -> PreTrainedTokenizerBase:
    """The tokenizer of `model`, with a padding token.

    Raises:
        UserError: At `place`, if `model` has none.
    """
    with read_from(model, place):
        tokenizer = AutoTokenizer.from_pretrained(locate(model))
        _refuse_empty(tokenizer, model, place)
    if tokenizer.pad_token is None:
        raise UserError(place, f"the tokenizer of {model!r} has no padding token; set one in its folder")
    # Batches are padded long after tokenising, when they are put together: transformers would advise against it.
    tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
    return tokenizer


def _refuse_empty(tokenizer: PreTrainedTokenizerBase, model: str, place: str) -> None:
    """Of a folder without a vocabulary transformers makes a tokenizer that knows no word."""
    folder, files = Path(locate(model)), [*tokenizer.vocab_files_names.values()]
    if not folder.is_dir() or not files:
        return
    if not any(path.name in files or path.suffix == ".model" for path in folder.iterdir()):
        mend = f"holds no tokenizer ({' or '.join(files)}); save the one that the model was trained with there"
        raise UserError(place, f"{model!r} {mend}")


def load_classifier(
    model: str, head: dict[str, Any], place: str, seed: int, kind: HeadKind = "sequence"
) -> PreTrainedModel:
    """The encoder of `model` in float32 with a head of that shape.

    A head that the checkpoint lacks is drawn from `seed`, without touching the global random state.

    Args:
        model: `asset:NAME`, a folder or a hub id.
        head: Fields of the transformers config, as `tasks` gives them; empty to keep the checkpoint's own head.
        place: The field that named the model, for errors.
        seed: Seed of what has to be drawn.

    Raises:
        UserError: At `place`, if the model cannot be loaded, its weights are not in safetensors, or any are lacking
            besides those of a new head.
    """
    loaded: PreTrainedModel
    with read_from(model, place), seeded(seed):
        loaded, info = AUTO[kind].from_pretrained(
            locate(model),
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **head,
        )
    refuse_drawn(loaded, info, model, place, new_head=bool(head))
    loaded.eval()
    return loaded


def load_encoder(model: str, place: str, dtype: torch.dtype) -> PreTrainedModel:
    """The encoder of `model` without a head, in that precision.

    Raises:
        UserError: At `place`, if it cannot be loaded whole from safetensors.
    """
    loaded: PreTrainedModel
    with read_from(model, place), seeded(0):
        loaded, info = AutoModel.from_pretrained(
            locate(model), dtype=dtype, use_safetensors=True, output_loading_info=True
        )
    lacking = sorted(info["missing_keys"])
    if lacking:
        raise UserError(place, f"{model!r} is damaged: its weights lack {lacking[0]}; save the model again")
    loaded.eval()
    return loaded


def refuse_drawn(loaded: PreTrainedModel, info: dict[str, Any], model: str, place: str, *, new_head: bool) -> None:
    """Refuse weights that transformers has drawn at random, but for those of a new head."""
    encoder, pooler = f"{loaded.base_model_prefix}.", f"{loaded.base_model_prefix}.pooler."
    shapes = {name: (there, asked) for name, there, asked in info["mismatched_keys"]}
    drawn = sorted({*info["missing_keys"], *shapes})
    # A pooler belongs to the head: checkpoints of masked language models have none.
    body = [name for name in drawn if name.startswith(encoder) and not name.startswith(pooler)]
    if body:
        name = body[0]
        found = f"has the shape {[*shapes[name][0]]}, not {[*shapes[name][1]]}" if name in shapes else "is not there"
        mend = f"its weights do not fit its config.json: {name} {found}{_and_more(body)}; save the model again"
        raise UserError(place, f"{model!r} is damaged: {mend}")
    if drawn and not new_head:
        mend = f"its weights lack {drawn[0]}{_and_more(drawn)}; fine-tune it first (a teacher: with teacher.finetune)"
        raise UserError(place, f"{model!r} has no fine-tuned head: {mend}")


def _and_more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def longest_text(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase, kind: HeadKind = "sequence") -> int:
    """How many tokens a model can read: what its tokenizer says, and at most its positions.

    RoBERTa and its kin count positions from the padding token's number plus one, so that those before are no use.
    Positions of 0 or less (XLNet's -1) are no limit.
    """
    positions = getattr(config, "max_position_embeddings", None) or 0
    if positions <= 0:
        return int(tokenizer.model_max_length)
    return int(min(positions - _unused_positions(config, kind), tokenizer.model_max_length))


def _unused_positions(config: PretrainedConfig, kind: HeadKind) -> int:
    tables = [
        part for name, part in _without_weights(config, kind).named_modules() if name.endswith("position_embeddings")
    ]
    return max((part.padding_idx + 1 for part in tables if getattr(part, "padding_idx", None) is not None), default=0)


def same_tokenizer(first: PreTrainedTokenizerBase, second: PreTrainedTokenizerBase) -> bool:
    """Whether both split every text alike: the same vocabulary, rules and special tokens."""
    if type(first) is not type(second) or first.get_vocab() != second.get_vocab():
        return False
    if first.is_fast and second.is_fast:
        return bool(_rules(first) == _rules(second))
    return bool(first.init_kwargs == second.init_kwargs)


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of how a tokenizer splits texts."""
    rules = _rules(tokenizer) if tokenizer.is_fast else {**tokenizer.get_vocab(), **tokenizer.init_kwargs}
    return hashlib.sha256(json.dumps(rules, sort_keys=True, default=str).encode()).hexdigest()


def _rules(tokenizer: Any) -> Any:
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: rules[name] for name in rules if name not in ("truncation", "padding")}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block, and leave torch's global random state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from remarks and bars of its own: new heads are no surprise, progress has its own bar.

    The hub's client is silent too.
    """
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with quiet_hub():
            yield
    finally:
        transformers_logging.set_verbosity(before)
        if bar:
            transformers_logging.enable_progress_bar()


@contextmanager
def read_from(model: str, place: str) -> Iterator[None]:
    """What transformers raises has many types: whichever it is, it is about what the user has named."""
    try:
        _refuse_wrong_folder(model, place)
        with quiet():
            yield
    except UserError:
        raise
    except SafetensorError as error:
        raise UserError(place, f"{model!r} is damaged ({error}); save it again") from error
    except Exception as error:
        # Where a config has a wrong value, the first line names the field, and the second says what is wrong there.
        reason = f"{type(error).__name__}: {' '.join(str(error).strip().splitlines()[:2])}"
        raise UserError(place, f"cannot load {model!r} as asset:NAME, a folder or a hub id: {reason}") from error
