"""The encoder families that people fine-tune, each tiny, and a batch that they all read."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    MobileBertConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
)

from distiller.models import HeadKind, seeded
from distiller.models.heads import AUTO

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
SHAPE: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "pad_token_id": 0,
    "vocab_size": 30522,
}
FAMILIES: dict[str, PreTrainedConfig] = {
    "albert": AlbertConfig(embedding_size=8, **SHAPE),
    "bert": BertConfig(**SHAPE),
    "deberta-v2": DebertaV2Config(relative_attention=True, pos_att_type=["c2p", "p2c"], **SHAPE),
    "distilbert": DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, pad_token_id=0),
    "electra": ElectraConfig(embedding_size=8, **SHAPE),
    "mobilebert": MobileBertConfig(embedding_size=16, intra_bottleneck_size=8, **SHAPE),
    "modernbert": ModernBertConfig(eos_token_id=102, bos_token_id=101, cls_token_id=101, sep_token_id=102, **SHAPE),
    "mpnet": MPNetConfig(**SHAPE),
    "roberta": RobertaConfig(**SHAPE),
}
"""With the vocabulary of MiniLM."""
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


def drawn_with_head(family: str, head: HeadKind, texts: Mapping[str, torch.Tensor], **fields: Any) -> PreTrainedModel:
    """A model of that family in which every part matters, whose logits of these texts have the mean 0 and the spread 1.

    Args:
        family: One of `FAMILIES`.
        head: Of the model.
        texts: `input_ids` and `attention_mask`, each [batch, length].
        fields: Of its config.
    """
    config = copy.deepcopy(FAMILIES[family])
    config.update(fields)
    with seeded(0):
        model: PreTrainedModel = AUTO[head].from_config(config).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    *_, last = (part for part in model.modules() if isinstance(part, torch.nn.Linear))
    read = texts["attention_mask"].bool()
    with torch.no_grad():
        said = model(input_ids=texts["input_ids"], attention_mask=texts["attention_mask"])
        logits = torch.stack([said.start_logits, said.end_logits], dim=-1) if head == "span" else said.logits
        spread, mean = torch.std_mean(logits if head == "sequence" else logits[read], dim=0)
        last.weight /= spread.unsqueeze(-1)
        last.bias.copy_((last.bias - mean) / spread)
    return model
