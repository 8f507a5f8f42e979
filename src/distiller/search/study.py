"""The study: what has been proposed and what came of it, in a database that Optuna keeps."""

import hashlib
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import optuna
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from distiller.errors import UserError
from distiller.search.config import Goal, SearchConfig
from distiller.search.halving import goes_on
from distiller.search.space import Space

DATABASE = "study.db"
INFEASIBLE, FAILURE = "infeasible", "failure"
DIRECTIONS: dict[Goal, str] = {"retention": "maximize", "latency": "minimize", "parameters": "minimize"}
STARTUP = 10
"""So many trials are drawn at random before a sampler looks at what came of them."""
POPULATION = 20
ATTEMPTS_AT_A_POINT = 200
RECONNECT_ATTEMPTS, RECONNECT_SECONDS = 60, 1.0

T = TypeVar("T")


@dataclass
class Study:
    """The trials of a search.

    Proposals are a function of the seed, the number of the trial and what came of those before: a search that was
    killed proposes what it would have proposed. One process writes; others may look on.

    Args:
        config: Of the search.
        space: Its space.
        optuna_study: Where trials are kept.
        again: Called with what is asked of the database; tries again where the connection is lost.
    """

    config: SearchConfig
    space: Space
    optuna_study: optuna.Study
    again: Callable[[Callable[[], Any]], Any]

    def trials(self) -> list[FrozenTrial]:
        """All that count, in the order in which they were proposed."""
        found = cast("list[FrozenTrial]", self.again(lambda: self.optuna_study.get_trials(deepcopy=False)))
        return [trial for trial in found if INFEASIBLE not in trial.user_attrs and trial.state != TrialState.WAITING]

    def propose(self, fits: Callable[[Mapping[str, Any]], str | None]) -> tuple[int, dict[str, Any]] | None:
        """The number and the point of a new trial; None if the space has no further ones.

        Args:
            fits: Says of a point why it is no pipeline; None if it is one.

        Raises:
            UserError: If many points in a row are none.
        """
        reason = None
        for _ in range(ATTEMPTS_AT_A_POINT):
            trial = self._asked()
            if trial is None:
                return None
            point = self.point(trial)
            reason = fits(point)
            if reason is None:
                return trial.number, point
            self._discard(trial, reason)
        mend = f"{ATTEMPTS_AT_A_POINT} points in a row are no pipelines; the last: {reason}; narrow the space"
        raise UserError("space", mend)

    def point(self, trial: Trial) -> dict[str, Any]:
        """That of a trial; what of it was not drawn yet when the search was killed is drawn now."""
        return cast("dict[str, Any]", self.again(lambda: self.space.suggested(trial)))

    def running(self, number: int) -> Trial:
        """A trial that has not ended, as Optuna takes it."""
        frozen = self.optuna_study.get_trials(deepcopy=False)[number]
        self._seed(number)
        return cast("Trial", self.again(lambda: Trial(self.optuna_study, frozen._trial_id)))

    def report(self, number: int, epochs: int, value: float) -> bool:
        """Note how a trial does after so many epochs; says whether it goes on.

        The answer is that of the values alone: asked again after a crash, it is the same.
        """

        def noted() -> list[FrozenTrial]:
            trials = self.optuna_study.get_trials(deepcopy=False)
            if epochs not in trials[number].intermediate_values:
                self._storage.set_trial_intermediate_value(trials[number]._trial_id, epochs, value)
            return trials

        others = [trial.intermediate_values for trial in self.again(noted) if trial.number != number]
        return goes_on(value, [known[epochs] for known in others if epochs in known], self.config.reduction)

    def end(self, number: int, state: TrialState, values: list[float] | None, reason: str | None = None) -> None:
        """Note what came of a trial, once."""

        def noted() -> None:
            trial = self.optuna_study.get_trials(deepcopy=False)[number]
            if trial.state.is_finished():
                return
            if reason is not None:
                self._attribute(trial, FAILURE, reason)
            self.optuna_study.tell(number, values, state=state, skip_if_finished=True)

        self.again(noted)

    def _asked(self) -> Trial | None:
        known = self.again(lambda: self.optuna_study.get_trials(deepcopy=False))
        number = sum(trial.state != TrialState.WAITING for trial in known)
        if number == len(known) and number < len(self._given):
            self.again(lambda: self.optuna_study.enqueue_trial(self._given[number]))
        elif self.config.sampler == "grid" and number >= len(self._given):
            return None
        self._seed(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cast("Trial", self.again(self.optuna_study.ask))

    @cached_property
    def _given(self) -> list[dict[str, Any]]:
        """What is tried first, as the sampler has it; of a grid all of it."""
        points = self.space.points() if self.config.sampler == "grid" else []
        return [*(_drawn(self.space, point) for point in self.config.first), *map(self.space.drawn, points)]

    @property
    def _storage(self) -> optuna.storages.BaseStorage:
        return self.optuna_study._storage

    def _seed(self, number: int) -> None:
        content = f"{self.config.seed} {number}".encode()
        seed = int.from_bytes(hashlib.blake2b(content, digest_size=4).digest(), "little") >> 1
        self.optuna_study.sampler = _sampler(self.config.sampler, seed)

    def _discard(self, trial: Trial, reason: str) -> None:
        def noted() -> None:
            trial.set_user_attr(INFEASIBLE, reason)
            self.optuna_study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

        self.again(noted)

    def _attribute(self, trial: FrozenTrial, name: str, value: str) -> None:
        self._storage.set_trial_user_attr(trial._trial_id, name, value)


def open_study(config: SearchConfig, space: Space, out: Path, name: str) -> Study:
    """The study of a search, made if it is not there.

    Args:
        config: Of the search.
        space: Its space.
        out: Its folder, where the database is unless the search names another.
        name: Of the study in that database.

    Raises:
        UserError: If the database cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    address = config.storage or f"sqlite:///{out / DATABASE}"
    try:
        storage = optuna.storages.RDBStorage(address, engine_kwargs=_engine(address))
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=cast("Any", [DIRECTIONS[goal] for goal in config.objectives]),
            pruner=optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
    except Exception as error:  # SQLAlchemy, the driver and Optuna have types of their own for it
        reason = " ".join(str(getattr(error, "orig", error)).split())[:200]
        raise UserError(
            "storage", f"{_shown(address)} cannot be used ({reason}); mend it, or leave storage out"
        ) from error
    found = Study(config, space, study, _again)
    _ = found._given  # refuses what is not in the space
    return found


def _drawn(space: Space, point: Mapping[str, Any]) -> dict[str, Any]:
    """A given point as the sampler has it.

    Raises:
        UserError: If it is not in the space.
    """
    known = {dimension.path: dimension for dimension in space.dimensions}
    for path, value in point.items():
        if path not in known:
            raise UserError("first", f"{path!r} is not in the space; remove it there, or add it to the space")
        if not known[path].holds(value):
            raise UserError("first", f"{path} is {value!r}, which the space does not hold; correct it")
    return space.drawn(point)


def _sampler(name: str, seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "tpe":
            return TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=STARTUP)
        if name == "gp":
            return GPSampler(seed=seed, n_startup_trials=STARTUP)
        if name == "nsga2":
            return NSGAIISampler(seed=seed, population_size=POPULATION)
        return RandomSampler(seed=seed)


def _engine(address: str) -> dict[str, Any]:
    # A connection that the server has closed is opened again.
    return {"connect_args": {"timeout": 60}} if address.startswith("sqlite") else {"pool_pre_ping": True}


def _again(asked: Callable[[], T]) -> T:
    """What is asked of the database, tried again for a minute while the connection is lost."""
    for attempt in range(RECONNECT_ATTEMPTS):
        try:
            return asked()
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError):
            if attempt == RECONNECT_ATTEMPTS - 1:
                raise
            time.sleep(RECONNECT_SECONDS)
    raise AssertionError


def _shown(address: str) -> str:
    """Without a password."""
    return make_url(address).render_as_string(hide_password=True) if "://" in address else address
