"""Where trials run: one file per executor."""

from typing import Annotated

from pydantic import Field

from distiller.search.executors.executor import Ended, Executor, Job
from distiller.search.executors.local import Local
from distiller.search.executors.ray import Ray

ExecutorConfig = Annotated[Local | Ray, Field(discriminator="type")]

__all__ = ["Ended", "Executor", "ExecutorConfig", "Job", "Local", "Ray"]
