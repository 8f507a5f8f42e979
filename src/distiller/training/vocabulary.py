"""Word embeddings of which training touches those alone that its texts have: the others need no gradient and no moment.

A batch has a gradient for the rows of its own tokens, and zero for all others; yet the whole table is zeroed, measured,
clipped and stepped each time, and of many a vocabulary most rows are in no training text. What AdamW does to a row that
never has a gradient is known beforehand: it decays, by 1 - learning rate · weight decay a step. That is done to all of
them in one product, when somebody looks at them. Gradients are the same, and so is what is learned.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.optimizer import Optimizer
from transformers import PreTrainedModel


class SeenRows(nn.Embedding):
    """An embedding cut down to the rows that training reads; outside of training it still has all of them.

    `weight` [rows read, width] is what is trained. Kept beside it are the other rows, as they were, and the share that
    they have lost since, a buffer, so that a checkpoint knows it. (What is left of them is near 1, where a float is
    coarse.)
    """

    rest: Tensor
    place: Tensor
    lost: Tensor

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is the base class's
        place = self.place[input]
        if self.training:
            return functional.embedding(place, self.weight, self.padding_idx)
        beyond = place - len(self.weight)
        seen = functional.embedding(place.clamp(max=len(self.weight) - 1), self.weight)
        others = functional.embedding(beyond.clamp(min=0), self.rest) * (1 - self.lost)
        return torch.where((beyond < 0).unsqueeze(-1), seen, others)

    def whole(self) -> Tensor:
        """[vocabulary, width]: all rows, where they belong."""
        rows = torch.cat([self.weight.detach(), self.rest * (1 - self.lost)])
        return rows[self.place]

    def decay_with(self, optimizer: Optimizer) -> None:
        """Have the other rows decay at each step as the optimizer lets the trained ones."""

        def decay(optimizer: Optimizer, *_: Any) -> None:
            # Found anew each time: who wraps an optimizer, or resumes it, gives it other groups.
            group = next(one for one in optimizer.param_groups if any(each is self.weight for each in one["params"]))
            self.lost.add_((1 - self.lost) * (group["lr"] * group["weight_decay"]))

        optimizer.register_step_post_hook(decay)


@contextmanager
def seen_rows_trained(model: PreTrainedModel, tokens: Tensor) -> Iterator[None]:
    """Within the block a model in training reads these tokens alone, and trains their embeddings alone.

    Models that use their word embeddings for something else too are left as they are.

    Args:
        model: Any.
        tokens: Numbers of the vocabulary, in any order; those that stand for padding too.
    """
    embedding = _plain_embedding(model)
    padding = [] if embedding is None or embedding.padding_idx is None else [embedding.padding_idx]
    seen = torch.cat([tokens, tokens.new_tensor(padding)]).unique()
    if embedding is None or len(seen) == embedding.num_embeddings:
        yield
        return
    _cut(embedding, seen.to(embedding.weight.device))
    try:
        yield
    finally:
        _restore(cast("SeenRows", embedding))


def _plain_embedding(model: PreTrainedModel) -> nn.Embedding | None:
    """That of words, if its rows are looked up and trained, and nothing else is done with them."""
    try:
        embedding: nn.Module = model.get_input_embeddings()
    except NotImplementedError:  # it reads characters, say
        return None
    if type(embedding) is not nn.Embedding or embedding.max_norm is not None or embedding.scale_grad_by_freq:
        return None
    users = [name for name, weight in model.named_parameters(remove_duplicate=False) if weight is embedding.weight]
    plain = len(users) == 1 and embedding.weight.requires_grad and not embedding.sparse
    return embedding if plain else None


def _cut(embedding: nn.Embedding, seen: Tensor) -> None:
    table = embedding.weight.detach()
    chosen = torch.zeros(len(table), dtype=torch.bool, device=table.device)
    chosen[seen] = True
    order = torch.cat([seen, (~chosen).nonzero().squeeze(-1)])
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    embedding.__class__ = SeenRows  # it stays where it is in the model, under its name
    embedding.weight = nn.Parameter(table[seen])
    embedding.register_buffer("rest", table[~chosen], persistent=False)
    embedding.register_buffer("place", place, persistent=False)
    embedding.register_buffer("lost", torch.zeros((), device=table.device))
    if embedding.padding_idx is not None:
        embedding.padding_idx = int(place[embedding.padding_idx])


def _restore(embedding: SeenRows) -> None:
    table = embedding.whole()
    if embedding.padding_idx is not None:
        embedding.padding_idx = int((embedding.place == embedding.padding_idx).nonzero())
    del embedding.rest, embedding.place, embedding.lost
    embedding.__class__ = nn.Embedding  # type: ignore[assignment]
    embedding.weight = nn.Parameter(table)
