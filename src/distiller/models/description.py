"""What a run record says of a model."""

import hashlib
import json
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

NO_BEHAVIOUR = {"_name_or_path", "architectures", "dtype", "transformers_version"}
"""Fields of a config that say where a model came from and who saved it, or what its weights say themselves."""


def describe(model: PreTrainedModel) -> dict[str, Any]:
    """Architecture, layers, width and parameters."""
    return {
        "architecture": model.config.model_type,
        "layers": int(model.config.num_hidden_layers),
        "width": int(model.config.hidden_size),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def size_on_disk(folder: Path) -> int:
    """Bytes of a saved model: weights, config and tokenizer."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def fingerprint(model: PreTrainedModel) -> str:
    """SHA-256 over the config and every weight: equal for models that behave alike, wherever they were loaded from."""
    config = {name: value for name, value in model.config.to_dict().items() if name not in NO_BEHAVIOUR}
    digest = hashlib.sha256(f"{type(model)}{json.dumps(config, sort_keys=True, default=str)}".encode())
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(weight.shape)}{weight.dtype}".encode())
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
