"""Texts and their labels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Examples:
    """Some examples of a dataset, in its order.

    Attributes:
        texts: One tuple per example, with one or two texts.
        labels: One per example: names of classes, numbers, or all classes of a text, in order; None if nobody has
            labelled these texts.
    """

    texts: list[tuple[str, ...]]
    labels: list[str] | list[float] | list[tuple[str, ...]] | None

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, positions: list[int]) -> "Examples":
        """The examples at these positions, in the order given."""
        texts = [self.texts[position] for position in positions]
        if self.labels is None:
            return Examples(texts, None)
        return Examples(texts, [self.labels[position] for position in positions])  # type: ignore[arg-type]

    def without_labels(self) -> "Examples":
        """The same texts as if nobody had labelled them."""
        return Examples(self.texts, None)
