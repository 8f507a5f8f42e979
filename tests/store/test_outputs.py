"""What is kept of a teacher is what it says, once for each input, whoever asks and whatever happens meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from distiller import models, store
from distiller.models import Reading
from distiller.store import FrozenTeacher, TeacherOutputs
from distiller.store.config import Format
from distiller.tasks import Tokens, tokenize
from processes import run_script

pytestmark = pytest.mark.usefixtures("own_cache")

TEXTS = [(" ".join(["word"] * (1 + number % 13) + [str(number)]),) for number in range(40)]
READINGS = [
    None,
    Reading("hidden_states", (0, 4), "cls"),
    Reading("hidden_states", (0, 4), "mean"),
    Reading("hidden_states", (0, 4)),
    Reading("attention_maps", (1, 4)),
    Reading("attention_vectors", (1, 4)),
]


@pytest.fixture
def teacher(tiny_bert: Path) -> PreTrainedModel:
    return models.load_classifier(str(tiny_bert), {"num_labels": 3}, "test", seed=0)


@pytest.fixture
def tokens(tiny_bert: Path) -> Tokens:
    return tokenize(TEXTS, models.load_tokenizer(str(tiny_bert), "test"), 24)


def opened(
    teacher: PreTrainedModel,
    reading: Reading | None = None,
    dtype: Format = "float32",
    tokenizer: str = "tokenizer",
) -> TeacherOutputs:
    frozen = FrozenTeacher.of(teacher, reading, dtype, longest=24)
    return TeacherOutputs(frozen, models.fingerprint(teacher), tokenizer, {"model": "tiny", "data": "words"})


def build(outputs: TeacherOutputs, tokens: Tokens) -> int:
    """How many texts had to be computed."""
    computed: list[int] = []
    outputs.build(tokens, tokens.digests(), computed.append, waiting=lambda: None)
    return sum(computed)


def named(reading: Reading | None) -> str:
    return "logits" if reading is None else f"{reading.kind}-{reading.feature}"


@pytest.mark.parametrize("reading", READINGS, ids=named)
def test_what_is_kept_is_what_transformers_says_of_each_text_alone(
    teacher: PreTrainedModel, tokens: Tokens, reading: Reading | None
) -> None:
    outputs = opened(teacher, reading)
    build(outputs, tokens)
    rows = [31, 0, 12, 0]
    columns = opened(teacher, reading).columns(tokens.digests())
    logits = store.restored_logits(columns, rows, of_words=False)
    layers = store.restored_layers(columns, reading, rows, 24)
    with models.attention_maps(teacher):
        for place, row in enumerate(rows):
            with torch.no_grad(), models.attention_vectors(teacher) as vectors:
                said = teacher(**tokens.batch([row]), output_hidden_states=True, output_attentions=True)
            assert torch.allclose(logits[place], said.logits[0], atol=1e-5)
            for layer, content in layers.items():
                states = said.hidden_states[layer][0]
                expected = {
                    "hidden_states-cls": states[:1],
                    "hidden_states-mean": states.mean(dim=0, keepdim=True),
                    "hidden_states-None": states,
                    "attention_maps-None": said.attentions[layer - 1][0],
                    "attention_vectors-None": vectors[layer - 1][0],
                }[named(reading)]
                of_text = content[place, ..., : expected.shape[-2], : expected.shape[-1]]
                assert torch.allclose(of_text, expected, atol=1e-5)


def test_each_input_is_computed_once_ever(teacher: PreTrainedModel, tokens: Tokens) -> None:
    assert build(opened(teacher), tokens) == 40
    assert build(opened(teacher), tokens) == 0
    reading = Reading("hidden_states", (2,), "cls")
    assert build(opened(teacher, reading), tokens) == 40  # another layer: it has to be asked again
    assert build(opened(teacher), tokens) == 0


def test_shards_are_filled_however_many_lengths_texts_have(
    teacher: PreTrainedModel, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distiller.store.outputs.TEXTS_PER_SHARD", 14)
    assert len(tokens.lengths.unique()) > 10  # so that batches are of three or four texts each
    outputs = opened(teacher)
    build(outputs, tokens)
    sizes = sorted(len(shard.values) for shard in outputs.columns(tokens.digests())["logits"].shards)
    assert sum(sizes) == 40
    assert all(14 <= size < 14 + 8 for size in sizes[1:])


def test_a_shelf_that_cannot_be_written_ends_the_build_though_others_can(
    teacher: PreTrainedModel, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = opened(teacher, Reading("hidden_states", (0, 4)))
    whole = Path.replace

    def refused(path: Path, target: Path) -> Path:
        if target.parent.name == "hidden_states-4":
            raise OSError(28, "No space left on device")
        return whole(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refused)
        with pytest.raises(OSError, match="No space"):
            build(outputs, tokens)
    assert not [*outputs.folder.rglob(".unfinished.*")]
    assert build(opened(teacher, Reading("hidden_states", (0, 4))), tokens) == 40


def test_other_batches_are_other_entries(
    teacher: PreTrainedModel, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On their shape the last bits of an answer depend: kept and live have to have the same."""
    build(opened(teacher), tokens)
    for rule in ("LENGTHS_PER_DOUBLING", "ALIGNED_BATCH"):
        with monkeypatch.context() as changed:
            changed.setattr(f"distiller.store.frozen.{rule}", 8)
            assert len(opened(teacher).lacking(tokens.digests())) == 40
    assert opened(teacher).lacking(tokens.digests()) == []


def test_any_change_of_the_teacher_or_of_what_is_wanted_is_another_entry(
    teacher: PreTrainedModel, tokens: Tokens
) -> None:
    build(opened(teacher), tokens)
    digests = tokens.digests()
    assert opened(teacher).lacking(digests) == []
    assert len(opened(teacher, dtype="bfloat16").lacking(digests)) == 40
    assert len(opened(teacher, tokenizer="another").lacking(digests)) == 40
    with torch.no_grad():
        teacher.classifier.bias[0] = torch.nextafter(teacher.classifier.bias[0], torch.tensor(1.0))
    assert len(opened(teacher).lacking(digests)) == 40
    with torch.no_grad():
        teacher.classifier.bias[0] = torch.nextafter(teacher.classifier.bias[0], torch.tensor(-1.0))
    assert opened(teacher).lacking(digests) == []
    teacher.config.layer_norm_eps *= 2
    assert len(opened(teacher).lacking(digests)) == 40


def test_the_size_is_known_before_anything_is_computed(teacher: PreTrainedModel, tokens: Tokens) -> None:
    for reading in READINGS:
        outputs = opened(teacher, reading, "bfloat16")
        expected = int(outputs.sizes(tokens).sum())
        build(outputs, tokens)
        columns = outputs.columns(tokens.digests())
        assert expected == sum(shard.values.nbytes for column in columns.values() for shard in column.shards)
        shutil.rmtree(outputs.folder)


SCRIPT = """
import os, signal, sys
import torch
from distiller import models
from distiller.models import Reading
from distiller.store import FrozenTeacher, TeacherOutputs, outputs as module
from distiller.tasks import tokenize
torch.set_num_threads(1)
folder, moment, after = sys.argv[1], sys.argv[2], int(sys.argv[3])
module.TEXTS_PER_SHARD = 32
module.BATCH = 8
teacher = models.load_classifier(folder, {"num_labels": 3}, "test", seed=0)
texts = [(" ".join(["word"] * (1 + n % 13) + [str(n)]),) for n in range(200)]
tokens = tokenize(texts, models.load_tokenizer(folder, "test"), 24)
frozen = FrozenTeacher.of(teacher, Reading("hidden_states", (4,), "cls"), "float32", longest=24)
kept = TeacherOutputs(frozen, models.fingerprint(teacher), "tokenizer", {"model": "tiny", "data": "words"})
calls = 0
def dying(function):
    def call(*arguments, **named):
        global calls
        calls += 1
        if calls == after:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call
if moment == "replace":
    os.replace = dying(os.replace)
if moment == "teacher":
    FrozenTeacher.__call__ = dying(FrozenTeacher.__call__)
computed = []
print("ready", flush=True)
sys.stdin.readline()
kept.build(tokens, tokens.digests(), computed.append, lambda: print("waiting", flush=True))
print(sum(computed), flush=True)
"""


def started(tiny_bert: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT, str(tiny_bert), "never", "0"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ})


@pytest.mark.parametrize(("moment", "after", "done"), [("teacher", 10, 64), ("replace", 5, 32), ("replace", 6, 64)])
def test_a_killed_build_goes_on_where_it_stopped(tiny_bert: Path, moment: str, after: int, done: int) -> None:
    """Of two shelves, so that a kill may come between them; the first to be put in place is what the entry is about."""
    assert run_script(SCRIPT, tiny_bert, moment, after).returncode == -signal.SIGKILL
    assert run_script(SCRIPT, tiny_bert, "never", 0).stdout.split()[-1] == str(200 - done)
    assert run_script(SCRIPT, tiny_bert, "never", 0).stdout.split()[-1] == "0"


def test_two_builders_at_once_compute_each_text_once(tiny_bert: Path) -> None:
    both = [started(tiny_bert) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in both]
    assert sum(int(words[-1]) for words in said) == 200
