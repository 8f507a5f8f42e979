"""One run: what was asked for, what came out, and what it cost."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from distiller.errors import UserError
from distiller.files import write_json
from distiller.version import __version__

Status = Literal["finished", "pruned", "failed", "stopped"]
FILE = "run.json"


class RunRecord(BaseModel):
    """The content of `run.json`; its keys are a contract that analysis, recommendation and users read.

    `retention` is the student's score over the teacher's on the primary metric of the same split; it is null where the
    teacher's score is not positive, since a ratio says nothing there. Times are in seconds, memory in megabytes.
    """

    # A table of runs gives numbers where text is meant, such as a version 0.3.
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

    id: str
    created: str
    version: str
    status: Status
    seed: int
    pipeline: dict[str, Any]
    data: dict[str, Any]
    teacher: dict[str, Any]
    student: dict[str, Any]
    metrics: dict[str, Any]
    retention: float | None
    cost: dict[str, Any]
    latency: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write `folder`/run.json atomically."""
        write_json(folder / FILE, self.model_dump())

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """The record in `folder`.

        Raises:
            UserError: If the file is no run record.
        """
        try:
            return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = str(error).split("\n")[0]
            raise UserError(
                str(folder / FILE), f"no run record ({reason}); remove it or name another folder"
            ) from error


def new_record(pipeline: dict[str, Any], seed: int) -> RunRecord:
    """A record of a run that has just begun; its status is `stopped` until the run says otherwise."""
    now = datetime.now(UTC)
    return RunRecord(
        id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        created=now.isoformat(timespec="seconds"),
        version=__version__,
        status="stopped",
        seed=seed,
        pipeline=pipeline,
        data={},
        teacher={},
        student={},
        metrics={},
        retention=None,
        cost={},
        latency={},
    )
