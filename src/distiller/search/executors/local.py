"""Trials in processes of this machine, one process a job: whatever a trial has taken is given back when it ends."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Annotated, Any, Literal

from pydantic import Field

from distiller.search.executors.executor import Ended, Executor, ExecutorBase, Job
from distiller.search.trial import run_in_process

PATIENCE_SECONDS = 20.0
"""So long a job that is stopped may take to leave a record."""


class Local(ExecutorBase):
    """`workers` processes of this machine, which share its cores (or `OMP_NUM_THREADS` of them) and GPUs."""

    type: Literal["local"] = "local"
    workers: Annotated[int, Field(ge=1)] = 1

    def open(self) -> Executor:
        threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        return LocalExecutor(self.workers, max(1, threads // self.workers))


@dataclass
class LocalExecutor:
    """Processes are forked from one that has imported torch and done nothing else: they start at once, and clean.

    Attributes:
        workers: How many jobs run side by side.
        threads: Of each.
    """

    workers: int
    threads: int
    _running: dict[Any, tuple[Job, BaseProcess, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["distiller.training", "transformers.models.bert.modeling_bert"])

    def submit(self, job: Job) -> None:
        taken = {place for _, _, place in self._running.values()}
        place = min({*range(self.workers)} - taken)
        arguments = (job, self.threads, os.getpid(), place)
        process = self._context.Process(target=run_in_process, args=arguments, name=job.name)
        with _main_left_alone():
            process.start()
        self._running[process.sentinel] = (job, process, place)

    def wait(self, seconds: float) -> list[Ended]:
        ready = connection.wait([*self._running], timeout=seconds)
        return [self._ended(sentinel) for sentinel in ready]

    def close(self) -> None:
        for _, process, _ in self._running.values():
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGTERM)
        for _, process, _ in self._running.values():
            process.join(PATIENCE_SECONDS)
            process.kill()
        self._running.clear()

    def _ended(self, sentinel: Any) -> Ended:
        job, process, _ = self._running.pop(sentinel)
        process.join()
        code = process.exitcode or 0
        if code == 0:
            return Ended(job, None)
        return Ended(job, f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}")


@contextmanager
def _main_left_alone() -> Iterator[None]:
    """A worker would import the user's script again, which may begin with this very search."""
    main = sys.modules["__main__"]
    names = ("__file__", "__spec__")
    kept = {name: getattr(main, name) for name in names if hasattr(main, name)}
    for name in kept:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)
