"""Tokenised texts, and how some of them become a batch."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

DIGEST_BYTES = 16


@dataclass(frozen=True)
class Tokens:
    """Texts as a tokenizer splits them, one after the other in one tensor an input, so that a batch is one gathering.

    Attributes:
        inputs: By the model's name for them (`input_ids`, `attention_mask`, …), each [tokens of all texts].
        lengths: [texts], tokens a text.
        padding: By the same names, what stands where a text has no token.
        pads_left: Whether that is before the text.
    """

    inputs: Mapping[str, Tensor]
    lengths: Tensor
    padding: Mapping[str, int]
    pads_left: bool

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def _starts(self) -> Tensor:
        return self.lengths.cumsum(0) - self.lengths

    def length_of(self, texts: Sequence[int], multiple_of: int = 1, at_most: int | None = None) -> int:
        """How long a batch of some texts is: as the longest of them, rounded up, but not beyond `at_most`.

        Texts that are padded on the left are not moved by rounding.
        """
        longest = int(self.lengths[torch.as_tensor(texts)].max())
        if self.pads_left:
            return longest
        rounded = -(-longest // multiple_of) * multiple_of
        return rounded if at_most is None else min(rounded, max(longest, at_most))

    def batch(self, texts: Sequence[int], length: int | None = None) -> dict[str, Tensor]:
        """Some of the texts, each tensor [batch, length]; without a length, that of the longest of them."""
        chosen = torch.as_tensor(texts)
        own = self.lengths[chosen].unsqueeze(-1)
        position = torch.arange(self.length_of(texts) if length is None else length)
        if self.pads_left:
            position = position - (len(position) - own)
        valid = (position >= 0) & (position < own)
        index = torch.where(valid, self._starts[chosen].unsqueeze(-1) + position, 0)
        return {name: torch.where(valid, all_[index], self.padding[name]) for name, all_ in self.inputs.items()}

    def digests(self) -> list[bytes]:
        """Of each text 16 bytes of BLAKE2b over the names and numbers of its inputs: equal for equal inputs alone."""
        columns = [(name.encode(), self.inputs[name].numpy()) for name in sorted(self.inputs)]
        found = []
        for start, length in zip(self._starts.tolist(), self.lengths.tolist(), strict=True):
            digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
            for name, numbers in columns:
                digest.update(name)
                digest.update(numbers[start : start + length].tobytes())
            found.append(digest.digest())
        return found


def tokenize(texts: Sequence[tuple[str, ...]], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Tokens:
    """Texts (one or two columns) as tokens, cut at `max_length`."""
    padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    names = tokenizer.model_input_names
    encoded: Mapping[str, list[list[int]]] = {name: [] for name in names}
    if texts:
        columns = [list(column) for column in zip(*texts, strict=True)]
        encoded = tokenizer(*columns, truncation=True, max_length=max_length)
        names = [name for name in names if name in encoded]
    return Tokens(
        {name: torch.tensor([number for text in encoded[name] for number in text], dtype=torch.long) for name in names},
        torch.tensor([len(text) for text in encoded["input_ids"]], dtype=torch.long),
        {name: padding.get(name, 0) for name in names},
        tokenizer.padding_side == "left",
    )


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Texts that one tokenizer has split, one part after the other."""
    parts = [part for part in parts if len(part) > 0] or parts[:1]
    first = parts[0]
    inputs = {name: torch.cat([part.inputs[name] for part in parts]) for name in first.inputs}
    return Tokens(inputs, torch.cat([part.lengths for part in parts]), first.padding, first.pads_left)
