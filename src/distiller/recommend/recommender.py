"""AutoDistiller: from known runs to what a pipeline will come to on a dataset that nobody has tried."""

import json
from collections import Counter
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.analysis.table import names_of_data
from distiller.data import DataConfig
from distiller.errors import UserError
from distiller.models import StudentConfig, TeacherConfig
from distiller.pipeline import Pipeline
from distiller.recommend.advice import Advice, advise
from distiller.recommend.calibration import calibrate
from distiller.recommend.inputs import Inputs
from distiller.recommend.judging import leave_out
from distiller.recommend.known import known_runs
from distiller.recommend.learners import MIXTURES, POWER, learn, standing
from distiller.recommend.subject import Subject
from distiller.tasks import TaskName

Array = NDArray[np.float64]


class Recommender:
    """Learns from run records which pipelines are good, and says so of a dataset, teacher and student never seen.

    Example:
        >>> recommender = Recommender().fit(distiller.runs.load("studies"))
        >>> recommender.foretell(frame)[["expected", "low", "high"]]
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, frame: pd.DataFrame) -> Self:
        """Learn from a frame as `distiller.runs.load` gives it, or any table with these columns.

        Read are `retention`, `pipeline.…`, `student.…`, `teacher.…`, `data.…`, `status`; `data.name` or `data.source`
        tells datasets apart. What is left out, and why, is in `notes`.

        Raises:
            UserError: If there is no retention or no name of the data, or no dataset has runs enough.
        """
        self.known = known_runs(frame)
        self.left_out = leave_out(self.known, self.seed)
        self.mixture = self.left_out.chosen
        some = self.known.thinned(np.random.default_rng(self.seed))
        self._inputs = Inputs.learn(some.frame, some.dataset)
        target = standing(some.outcome, some.dataset) ** POWER
        self._learned = learn(MIXTURES[self.mixture], self._inputs.matrix(some.frame), target, self.seed)
        self._calibration = calibrate(self.known, self._mixed(self.left_out.scores))
        return self

    @property
    def notes(self) -> list[str]:
        """What was left out of known runs, and how sure the figures are, in sentences."""
        return [*self.known.notes, *self._calibration.notes]

    def predict(self, frame: pd.DataFrame) -> pd.Series:
        """The retention that each row is expected to come to: the higher, the better the pipeline."""
        return self.foretell(frame)["expected"]

    def foretell(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Per row: `expected` retention, the ends `low` and `high` of an interval that holds 80 % of new runs.

        Raises:
            UserError: If the frame has no column of a pipeline.
        """
        if not any(str(name).startswith("pipeline.") for name in frame):
            raise UserError("pipeline", "no column of the table of runs begins so; give run records")
        score = self._mixed(self._learned.scores(self._inputs.matrix(frame)))
        return self._calibration.retention(score, names_of_data(frame), frame.index)

    def recommend(
        self,
        *,
        data: str | DataConfig,
        teacher: str | TeacherConfig | None = None,
        student: str | list[int] | StudentConfig | None = None,
        task: TaskName = "classification",
        n: int = 5,
    ) -> list[Pipeline]:
        """Pipelines to try, the best first, ready to run: see `advise`, which also says what speaks for each.

        Args:
            data: What `data.source` of a pipeline may be, or all of that part.
            teacher: What `teacher.model` may be (fine-tuned first with the usual settings), or all of that part; None:
                that of most known runs.
            student: What `student.model` may be, the teacher's layers that it keeps, or all of that part; None: that of
                most known runs.
            task: As in a pipeline.
            n: How many at most.

        Raises:
            UserError: If data or models are not usable, or known runs do not say which is usual.
        """
        base = Pipeline.model_validate(
            {
                "task": task,
                "data": {"source": data} if isinstance(data, str) else data,
                "teacher": {"model": teacher} if isinstance(teacher, str) else teacher or self._usual("teacher"),
                "student": self._usual("student") if student is None else _student(student),
            }
        )
        return [each.pipeline for each in self.advise(base, n).recommendations]

    def advise(self, base: Pipeline, n: int = 5) -> Advice:
        """Pipelines for the data, teacher and student of `base`, with what they may come to, and why.

        Raises:
            UserError: If data or models are not usable.
        """
        subject = Subject.read(base)
        return advise(self, base, subject.describe, subject.check, n)

    def _usual(self, part: Literal["teacher", "student"]) -> dict[str, object]:
        """What most known runs have there."""
        frame = self.known.frame
        for field in ("layers", "model"):
            column = f"pipeline.{part}.{field}"
            counts = Counter(json.dumps(cell) for cell in frame[column].dropna()) if column in frame else Counter[str]()
            if counts:
                return {field: json.loads(counts.most_common(1)[0][0])}
        raise UserError(part, f"known runs do not say which is usual (no column pipeline.{part}.model); name one")

    def _mixed(self, parts: dict[str, Array]) -> Array:
        return np.asarray(np.mean([parts[name] for name in MIXTURES[self.mixture]], axis=0))


def _student(student: str | list[int] | StudentConfig) -> StudentConfig | dict[str, object]:
    if isinstance(student, StudentConfig):
        return student
    return {"model": student} if isinstance(student, str) else {"layers": student}
