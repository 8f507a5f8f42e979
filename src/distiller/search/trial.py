"""One trial, wherever it runs: the same function for every executor."""

import json
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

import psutil
from filelock import FileLock

from distiller.errors import UserError
from distiller.files import write_json, write_text
from distiller.runs import RunRecord
from distiller.search.executors.executor import Job

PIPELINE, OUTCOME, LOG, LOCK = "given.yaml", "outcome.json", "log.txt", ".lock"
RUN = "run"
"""In the folder of a trial: what `distill` leaves."""
WATCHED_SECONDS = 0.5


@dataclass(frozen=True)
class Outcome:
    """What is known of a trial after a job.

    Attributes:
        until: The epochs that the job was to reach.
        status: Whether all epochs are done, or some, or it failed.
        reason: Why it failed.
        retention: Best validation score so far over that of the teacher; None where the teacher's is not positive.
        latency: Milliseconds for one text on a CPU, median; None if it was not measured.
        parameters: Of the student.
        seconds: Of training.
    """

    until: int
    status: Literal["finished", "stopped", "failed"]
    reason: str | None = None
    retention: float | None = None
    latency: float | None = None
    parameters: int | None = None
    seconds: float = 0.0

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """That of the last job in the folder of a trial that came to its end; None if there is none."""
        try:
            return cls(**json.loads((folder / OUTCOME).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def prepare_folder(folder: Path, pipeline: str) -> None:
    """The folder of a trial, with its pipeline."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / PIPELINE, pipeline)


def run_trial(job: Job, threads: int) -> None:
    """Train the student of a trial as far as the job says, going on from what is in its folder; leave the outcome.

    Two processes never work in one folder: what is left of a search that was killed may still be at it.
    """
    import torch

    from distiller import training
    from distiller.pipeline import Pipeline

    torch.set_num_threads(threads)
    with FileLock(job.folder / LOCK):
        began = time.perf_counter()
        try:
            pipeline = Pipeline.from_yaml(job.folder / PIPELINE)
            record = training.advance(pipeline, job.folder / RUN, job.until, timed=job.timed)
            outcome = _outcome(job, record)
        except UserError as error:
            outcome = Outcome(job.until, "failed", str(error), seconds=_seconds_since(began))
        except Exception as error:  # whatever it is: the search goes on, and the log has all of it
            traceback.print_exc()
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            outcome = Outcome(job.until, "failed", reason, seconds=_seconds_since(began))
        write_json(job.folder / OUTCOME, asdict(outcome))


def print_into(file: Path) -> None:
    """From now on all that this process and libraries of it print is added to a file."""
    with file.open("ab") as log:
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            os.dup2(log.fileno(), descriptor)


def _seconds_since(began: float) -> float:
    """What a failed job has cost, which counts against the budget like training."""
    return round(time.perf_counter() - began, 2)


def run_in_process(job: Job, threads: int, search: int, place: int) -> None:
    """`run_trial` in a process of its own, with what it prints in a file; it does not outlive the search.

    Args:
        job: What to do.
        threads: Of torch.
        search: The process of the search.
        place: Of the worker among all of them: of several GPUs it has one.
    """
    _take_gpu(place)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches all: the search says when to stop
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(psutil.Process(search),), daemon=True).start()
    print_into(job.folder / LOG)
    run_trial(job, threads)


def _take_gpu(place: int) -> None:
    import torch

    count = torch.cuda.device_count()  # without starting CUDA, which then sees what is left visible
    if count > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[place % count]


def _outcome(job: Job, record: RunRecord) -> Outcome:
    metric = record.metrics["primary"]
    best = max(entry[f"eval_{metric}"] for entry in record.metrics["history"] if f"eval_{metric}" in entry)
    teacher = record.metrics["teacher"]["validation"][metric]
    return Outcome(
        job.until,
        "finished" if record.status == "finished" else "stopped",
        retention=best / teacher if teacher > 0 else None,
        latency=record.latency.get("student", {}).get("median_ms"),
        parameters=record.student["parameters"],
        seconds=record.cost["train_seconds"],
    )


def _end_with(search: psutil.Process) -> None:
    """A process whose search was killed must not go on beside the one that resumes it."""
    while search.is_running() and search.status() != psutil.STATUS_ZOMBIE:
        time.sleep(WATCHED_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
