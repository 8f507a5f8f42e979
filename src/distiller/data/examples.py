"""Texts and their labels."""

from dataclasses import dataclass

from distiller.labels import Answer


@dataclass(frozen=True)
class Examples:
    """Some examples of a dataset, in its order.

    Attributes:
        texts: One tuple per example, with one or two texts.
        labels: One per example: names of classes, numbers, all classes of a text, in order, or all answers to a
            question; None if nobody has labelled these texts.
        names: What the source calls each of them; None if it does not.
    """

    texts: list[tuple[str, ...]]
    labels: list[str] | list[float] | list[tuple[str, ...]] | list[tuple[Answer, ...]] | None
    names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, positions: list[int]) -> "Examples":
        """The examples at these positions, in the order given."""
        texts = [self.texts[position] for position in positions]
        names = None if self.names is None else [self.names[position] for position in positions]
        if self.labels is None:
            return Examples(texts, None, names)
        return Examples(texts, [self.labels[position] for position in positions], names)  # type: ignore[arg-type]

    def without_labels(self) -> "Examples":
        """The same texts as if nobody had labelled them."""
        return Examples(self.texts, None, self.names)
