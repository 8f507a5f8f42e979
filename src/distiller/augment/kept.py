"""What slow steps have made of texts, kept on disk for all runs."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from distiller.assets import cache_folder
from distiller.augment.step import Augmenter, Step
from distiller.files import write_text
from distiller.version import __version__

TEXTS_A_FILE = 1024
"""So many are made before they are written: the most that a killed process loses."""


class KeptStep:
    """A slow step whose texts are made once, and read from then on.

    Args:
        step: What is done to texts.
    """

    def __init__(self, step: Step) -> None:
        self._step = step

    def __call__(self, texts: Sequence[str], seed: int, done: Callable[[int], None]) -> list[str]:
        """What the step makes of texts, in their order.

        One process at a time makes texts with the same step and seed; another waits, and makes what is still lacking.

        Args:
            texts: Any.
            seed: Of the step.
            done: Called with the number of texts that have been made since the last call.

        Raises:
            UserError: If the step fails; whole files that it had filled before are kept, and nothing else.
        """
        folder = cache_folder() / "augmented" / self._key(seed)
        known = _read(folder)
        if _lacking(texts, known):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                known = _read(folder)
                self._make(_lacking(texts, known), seed, known, folder, done)
        return [known[_digest(text)] for text in texts]

    @cached_property
    def _augmenter(self) -> Augmenter:
        return self._step.build()

    def fingerprint(self) -> str:
        """That of the step."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return self._step.fingerprint()

    def _make(
        self, lacking: Sequence[str], seed: int, known: dict[str, str], folder: Path, done: Callable[[int], None]
    ) -> None:
        for start in range(0, len(lacking), TEXTS_A_FILE):
            some = lacking[start : start + TEXTS_A_FILE]
            new = dict(zip(map(_digest, some), self._augmenter(some, seed), strict=True))
            _write(folder, new)
            known |= new
            done(len(some))

    def _key(self, seed: int) -> str:
        content = {
            "version": __version__,
            "step": self._step.model_dump(),
            "seed": seed,
            "engine": self._fingerprint,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _lacking(texts: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """Those that are not known, each once."""
    return [text for text in dict.fromkeys(texts) if _digest(text) not in known]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """A file is named by the SHA-256 of what it holds."""
    content = json.dumps(texts)
    write_text(folder / f"{hashlib.sha256(content.encode()).hexdigest()}.json", content)


def _read(folder: Path) -> dict[str, str]:
    """All that is whole there; what is damaged is made anew."""
    known: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == path.stem:
            known |= json.loads(content)
    return known
