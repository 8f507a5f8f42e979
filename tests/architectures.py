"""The encoder families that people fine-tune, each tiny, and a batch that they all read."""

import copy
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedModel,
    RobertaConfig,
)

from distiller.models import seeded

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 60,
    "num_labels": 3,
}
ARCHITECTURES = {
    "bert": BertConfig(**SMALL),
    "roberta": RobertaConfig(**SMALL),
    "distilbert": DistilBertConfig(dim=16, n_layers=4, n_heads=2, hidden_dim=32, vocab_size=60, num_labels=3),
    "electra": ElectraConfig(embedding_size=8, **SMALL),
    "mpnet": MPNetConfig(**SMALL),
    "deberta-v2": DebertaV2Config(relative_attention=True, pos_att_type=["c2p", "p2c"], **SMALL),
    "modernbert": ModernBertConfig(
        pad_token_id=0, eos_token_id=1, bos_token_id=2, cls_token_id=3, sep_token_id=4, **SMALL
    ),
}
INPUTS = {
    "input_ids": torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]),
}


def drawn(architecture: str) -> PreTrainedModel:
    """A model of that architecture, with weights large enough for every part of it to matter."""
    with seeded(0):
        model = AutoModelForSequenceClassification.from_config(copy.deepcopy(ARCHITECTURES[architecture])).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return model
