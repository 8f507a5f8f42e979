"""WordNet's database, read as its manual describes it: wndb(5WN)."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

Part = Literal["noun", "verb", "adj", "adv"]


class WordNet:
    """What WordNet says of English words.

    Args:
        folder: With the files `index.noun`, `data.noun` and so on.
    """

    def __init__(self, folder: Path) -> None:
        self._index: dict[Part, list[bytes]] = {}
        self._data: dict[Part, bytes] = {}
        parts: tuple[Part, ...] = ("noun", "verb", "adj", "adv")
        for part in parts:
            lines = (folder / f"index.{part}").read_bytes().splitlines()
            self._index[part] = [line for line in lines if not line.startswith(b" ")]  # those are the licence
            self._data[part] = (folder / f"data.{part}").read_bytes()
        self.senses = lru_cache(maxsize=2**16)(self._senses)

    def sentences(self) -> Iterator[str]:
        """What it says of each sense: a definition, then examples of its use, one by one."""
        for data in self._data.values():
            for line in data.splitlines():
                gloss = line.partition(b"|")[2].decode()
                yield from (part.strip(' "') for part in gloss.split("; ") if part.strip(' "'))

    def _senses(self, lemma: str, part: Part) -> tuple[tuple[str, ...], ...]:
        """What else each sense of a lemma is called, the sense that is most often meant first; _ stands for a space."""
        wanted = lemma.lower().replace(" ", "_").encode() + b" "
        lines = self._index[part]
        place = bisect_left(lines, wanted)
        if place == len(lines) or not lines[place].startswith(wanted):
            return ()
        fields = lines[place].split()
        offsets = fields[6 + int(fields[3]) :]
        names = [self._names(int(offset), part) for offset in offsets]
        return tuple(tuple(name for name in of_one if name.lower() != lemma.lower()) for of_one in names)

    def _names(self, offset: int, part: Part) -> list[str]:
        data = self._data[part]
        fields = data[offset : data.index(b"|", offset)].split()
        count = int(fields[3], 16)
        # Where an adjective may stand is noted behind it, in parentheses.
        return [name.decode().split("(")[0] for name in fields[4 : 4 + 2 * count : 2]]
