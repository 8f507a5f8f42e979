"""A rule-based engine: Apertium."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

from distiller.augment.translation.engine import PLACE, Engine, Translation
from distiller.errors import UserError

MODES = Path("/usr/share/apertium/modes")
_RESERVED = re.compile(r"([\[\]{}^$/\\@<>])")
_ESCAPED = re.compile(r"\\(.)")
_END = ".[]"  # as Apertium's own formatter ends a text: a tagger that sees no end holds the last words back


class Apertium(Engine):
    """Any pair that Apertium has both ways; `apertium-eng-spa` of Debian gives English to Spanish and back."""

    type: Literal["apertium"] = "apertium"
    forward: str = "eng-spa"
    backward: str = "spa-eng"

    def there_and_back(self) -> tuple[Translation, Translation]:
        return self._translation(self.forward), self._translation(self.backward)

    def fingerprint(self) -> str:
        stages = [stage for mode in (self.forward, self.backward) for stage in self._stages(mode)]
        files = [Path(word) for stage in stages for word in stage if word.startswith("/")]
        return repr([(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files])

    def _translation(self, mode: str) -> Translation:
        return partial(_translated, self._stages(mode))

    def _stages(self, mode: str) -> list[list[str]]:
        """The programs that a mode is a pipe of, each with its arguments."""
        file = MODES / f"{mode}.mode"
        if shutil.which("apertium") is None or not file.exists():
            mend = f"Apertium has no mode {mode!r} here; apt install apertium apertium-{self.forward}"
            raise UserError(PLACE, mend)
        # $1 is how words are generated (-n: unknown ones without a mark), $2 a flag of the tagger that nobody wants.
        pipe = file.read_text(encoding="utf-8").replace("$1", "-n").replace("$2", "")
        return [[program, "-z", *rest] for program, *rest in map(shlex.split, pipe.split("|"))]


def _translated(stages: Sequence[Sequence[str]], sentences: Sequence[str]) -> list[str]:
    """Through all stages, each a process that takes all sentences; but for the tagger.

    What that makes of a sentence depends on those that it has seen before, so each sentence has a tagger of its own.
    """
    now = [_RESERVED.sub(r"\\\1", sentence) + _END for sentence in sentences]
    for stage in stages:
        now = _run_alone(stage, now) if stage[0] == "apertium-tagger" else _run(stage, now)
    return [_ESCAPED.sub(r"\1", sentence.removesuffix("[]").removesuffix(".")) for sentence in now]


def _run_alone(stage: Sequence[str], sentences: Sequence[str]) -> list[str]:
    """As `_run`, with a process for each sentence."""
    with ThreadPoolExecutor() as pool:
        return [made for [made] in pool.map(lambda sentence: _run(stage, [sentence]), sentences)]


def _run(stage: Sequence[str], sentences: Sequence[str]) -> list[str]:
    """What one program makes of them; a zero byte ends each, on the way in and out."""
    given = "".join(f"{sentence}\0" for sentence in sentences)
    try:
        ran = subprocess.run([*stage], input=given.encode(), capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"").decode(errors="replace").strip() or str(error)
        raise UserError(PLACE, f"{stage[0]} failed ({said}); run again, or mend it") from error
    made = ran.stdout.decode().split("\0")
    if len(made) <= len(sentences):
        mend = f"{stage[0]} gave {len(made) - 1} sentences for {len(sentences)}; run again, or name another engine"
        raise UserError(PLACE, mend)
    return made[: len(sentences)]
