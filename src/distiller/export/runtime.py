"""What lies beside the models in an exported folder, so that ONNX Runtime and tokenizers are all it takes to use it."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distiller.errors import UserError
from distiller.files import write_json
from distiller.tasks import NEVER, Tokens
from distiller.training import Examinee, Reader

CONFIG, TOKENIZER, PREDICT = "config.json", "tokenizer.json", "predict.py"
GIVES = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""What models read, and what the tokenizers library calls it."""
SCRIPTS = Path(__file__).parent / "predict"


def write_runtime(folder: Path, examinee: Examinee, columns: int, model: str) -> None:
    """Write config.json, tokenizer.json and predict.py.

    Args:
        folder: That holds the models.
        examinee: Which was exported.
        columns: Texts an example, one or two.
        model: The file that predict.py uses.

    Raises:
        UserError: If its tokenizer is not one of the tokenizers library.
    """
    task, reader = examinee.task, examinee.reader
    content: dict[str, Any] = {
        "task": task.name,
        "model": model,
        "labels": examinee.classes,
        "columns": columns,
        "max_length": reader.max_length,
    }
    if task.label_kind == "answers":
        threshold = task.threshold(examinee.model.config)
        content |= {
            "stride": reader.stride,
            "no_answer_token": reader.tokenizer.cls_token_id,
            "no_answer_threshold": NEVER if threshold is None else threshold,
        }
    write_json(folder / CONFIG, content)
    fast_tokenizer(reader, examinee.name).save(str(folder / TOKENIZER))
    shutil.copyfile(SCRIPTS / f"{task.name.replace('-', '_')}.py", folder / PREDICT)


def fast_tokenizer(reader: Reader, place: str) -> Tokenizer:
    """The tokenizer of a model without transformers; it cuts texts and pads batches as the model's own does.

    Raises:
        UserError: At `place`, if there is none.
    """
    own: Any = reader.tokenizer
    if not own.is_fast:
        mend = "is not one of the tokenizers library, which the exported folder needs; save a fast one with the model"
        raise UserError(place, f"its tokenizer ({type(own).__name__}) {mend}")
    tokenizer = Tokenizer.from_str(own.backend_tokenizer.to_str())
    tokenizer.enable_truncation(reader.max_length, direction=own.truncation_side)
    tokenizer.enable_padding(
        direction=own.padding_side,
        pad_id=own.pad_token_id,
        pad_type_id=own.pad_token_type_id,
        pad_token=own.pad_token,
    )
    return tokenizer


def refuse_other_tokens(tokenizer: Tokenizer, texts: Sequence[tuple[str, ...]], read: Tokens, place: str) -> None:
    """Refuse a tokenizer that does not give what the model has read.

    Raises:
        UserError: At `place`, with the first text of which it gives something else, or with what it does not give.
    """
    strangers = [*read.inputs.keys() - GIVES.keys()]
    if strangers:
        raise UserError(place, f"it reads {strangers[0]}, which the tokenizers library does not give; export another")
    encode: Any = tokenizer.encode
    ends = read.lengths.cumsum(0).tolist()
    for text, end, length in zip(texts, ends, read.lengths.tolist(), strict=True):
        found = encode(*text)
        if any(getattr(found, GIVES[name]) != all_[end - length : end].tolist() for name, all_ in read.inputs.items()):
            raise UserError(place, f"its tokenizer splits {' '.join(text)[:60]!r} otherwise without transformers")
