"""Many runs as one table."""

import json
from pathlib import Path

import pandas as pd

from distiller.errors import UserError
from distiller.runs.record import FILE


def load(path: str | Path) -> pd.DataFrame:
    """Every run record under `path` (a folder, searched to any depth, or one run.json): one row a run, oldest first.

    Nested keys are flattened with dots (`pipeline.objective.prediction.type`, `cost.train_seconds`); lists stay whole.

    Raises:
        UserError: If there is no record, or one cannot be read.
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.rglob(FILE))
    if not files:
        raise UserError(str(path), f"holds no {FILE}; name the --out folder of a run, or a folder of such folders")
    frame = pd.json_normalize([_read(file) for file in files], sep=".")
    return frame.sort_values("created", kind="stable", ignore_index=True) if "created" in frame else frame


def _read(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(str(file), f"not a run record ({error}); move it away") from error
    if not isinstance(content, dict):
        raise UserError(str(file), "not a run record (no JSON object); move it away")
    return content
