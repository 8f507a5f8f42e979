"""Trials as tasks of a Ray cluster: of an existing one by its address, or of one that is started on this machine."""

import logging
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from distiller.errors import UserError
from distiller.search.executors.executor import Ended, Executor, ExecutorBase, Job
from distiller.search.trial import LOG, print_into, run_trial

PLACE = "executor"
CONNECT_SECONDS = 10.0
TOKEN = Path.home() / ".ray" / "auth_token"
"""Where Ray keeps it."""


class Ray(ExecutorBase):
    """Each trial is a task with `cpus`, `gpus` and `memory_gb`; `address: null` starts Ray on this machine.

    `workers` null is as many as the cluster has room for. The folder of the search and the cache have to be on a file
    system that all nodes share. A task whose worker or node dies is tried again up to `retries` times.
    """

    type: Literal["ray"] = "ray"
    address: str | None = None
    workers: Annotated[int, Field(ge=1)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] = 0.0
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    retries: Annotated[int, Field(ge=0)] = 3

    def open(self) -> Executor:
        _refuse_unreachable(self.address)
        _take_token(self.address)
        try:
            import ray
        except ImportError as error:
            raise UserError(PLACE, "Ray is not installed; pip install 'distiller[ray]'") from error
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            mend = f"no Ray cluster answers at {self.address!r} ({reason}); start one, or set address: null"
            raise UserError(f"{PLACE}.address", mend) from error
        room = self._room(ray.cluster_resources())
        return RayExecutor(self, min(self.workers or room, room), ray)

    def _room(self, resources: dict[str, float]) -> int:
        """For how many trials at once."""
        memory = resources.get("memory", 0.0) / 2**30
        asked = {
            "cpus": (self.cpus, resources.get("CPU", 0.0)),
            "gpus": (self.gpus, resources.get("GPU", 0.0)),
            "memory_gb": (self.memory_gb or 0.0, memory),
        }
        for name, (wanted, there) in asked.items():
            if wanted > there:
                raise UserError(f"{PLACE}.{name}", f"{wanted:g} is more than the cluster has ({there:g}); lower it")
        return min(int(there // wanted) for wanted, there in asked.values() if wanted > 0)


def _refuse_unreachable(address: str | None) -> None:
    """Ray itself would try for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return  # `auto`, `local`, or of another protocol
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        mend = f"no Ray cluster answers at {address!r} ({error.strerror or error}); start one, or set address: null"
        raise UserError(f"{PLACE}.address", mend) from error


def _take_token(address: str | None) -> None:
    """With a token at hand `ray start` makes a cluster for those that have it, and a client has to say that it has."""
    if address is not None and "RAY_AUTH_MODE" not in os.environ and TOKEN.exists():
        os.environ["RAY_AUTH_MODE"] = "token"


@dataclass
class RayExecutor:
    """Tasks of a cluster."""

    config: Ray
    workers: int
    ray: Any
    _running: dict[Any, Job] = field(default_factory=dict)

    def submit(self, job: Job) -> None:
        config = self.config
        memory = {} if config.memory_gb is None else {"memory": int(config.memory_gb * 2**30)}
        # A worker ends with its call, so that memory is given back.
        task = self.ray.remote(max_calls=1)(_run_trial).options(
            num_cpus=config.cpus,
            num_gpus=config.gpus,
            max_retries=config.retries,
            name=job.name,
            runtime_env={"env_vars": _shared()},
            **memory,
        )
        self._running[task.remote(job, max(1, int(config.cpus)), str(Path.cwd()))] = job

    def wait(self, seconds: float) -> list[Ended]:
        if not self._running:
            return []
        ready, _ = self.ray.wait([*self._running], num_returns=1, timeout=seconds)
        return [self._ended(reference) for reference in ready]

    def close(self) -> None:
        for reference in self._running:
            self.ray.cancel(reference, force=False)
        if self._running:
            self.ray.wait([*self._running], num_returns=len(self._running), timeout=20.0)
        self._running.clear()
        self.ray.shutdown()

    def _ended(self, reference: Any) -> Ended:
        job = self._running.pop(reference)
        try:
            self.ray.get(reference)
        except Exception as error:  # Ray has many types for what becomes of a worker
            return Ended(job, f"lost ({type(error).__name__})")
        return Ended(job, None)


def _shared() -> dict[str, str]:
    """The variables of the environment that trials depend on."""
    names = ("DISTILLER_CACHE", "HF_HUB_OFFLINE", "HF_HOME", "TOKENIZERS_PARALLELISM")
    return {name: os.environ[name] for name in names if name in os.environ}


def _run_trial(job: Job, threads: int, folder: str) -> None:
    """In the folder that the search was started in, which paths of pipelines are seen from; its worker ends with it."""
    os.chdir(folder)
    print_into(job.folder / LOG)
    run_trial(job, threads)
