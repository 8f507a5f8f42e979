"""The study: what has been proposed and what came of it, in a database that Optuna keeps."""

import hashlib
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar, cast

import optuna
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from distiller.errors import UserError
from distiller.search.config import Goal, Sampler, SearchConfig
from distiller.search.halving import goes_on
from distiller.search.prior import Prior
from distiller.search.space import Space

DATABASE = "study.db"
INFEASIBLE, FAILURE, GOES_ON = "infeasible", "failure", "goes on after epoch "
AGAIN = "is the point of trial "
DIRECTIONS: dict[Goal, str] = {"retention": "maximize", "latency": "minimize", "parameters": "minimize"}
STARTUP = 10
"""So many trials are drawn at random before a sampler looks at what came of them."""
POPULATION = 20
ATTEMPTS_AT_A_POINT, REFUSALS = 200, 5
"""After so many refusals in a row points are drawn by lot until one is accepted: TPE may repeat itself for ever."""
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
        prior: What known runs foretell, where the sampler asks that.
    """

    config: SearchConfig
    space: Space
    optuna_study: optuna.Study
    again: Callable[[Callable[[], Any]], Any]
    prior: Prior | None = None

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
        refused: list[str] = []
        # A prior may speak for points that are none, one after the other: so all that it knows are looked at.
        attempts = ATTEMPTS_AT_A_POINT + (0 if self.prior is None else len(self.prior.points))
        while self.config.chosen_sampler == "grid" or len(refused) < attempts:
            trial = self._asked()
            if trial is None:
                return None
            point = self.point(trial)
            reason = self.again_of(trial) or fits(point)
            if reason is None:
                return trial.number, point
            self.discard(trial.number, reason)
            refused.append(reason)
        if any(reason.startswith(AGAIN) for reason in refused):
            return None  # it is used up
        mend = f"{len(refused)} points in a row are no pipelines; the last: {refused[-1]}; narrow the space"
        raise UserError("space", mend)

    def gain_an_hour(self, spent: Mapping[int, float]) -> float:
        """The most retention that a further trial is expected to gain, an hour; infinite where nothing foretells it.

        Args:
            spent: Seconds of training by number of trial.
        """
        if self.prior is None:
            return float("inf")
        known = self.again(lambda: self.optuna_study.get_trials(deepcopy=False))
        return self.prior.gain_an_hour(known, spent)

    def again_of(self, trial: Trial) -> str | None:
        """Which trial has the same point; None if none has."""
        for other in self.trials():
            if other.number < trial.number and other.params == trial.params:
                return f"{AGAIN}{other.number}"
        return None

    def point(self, trial: Trial) -> dict[str, Any]:
        """That of a trial; what was not drawn yet when the search was killed is drawn now, as it would have been."""

        def suggested() -> dict[str, Any]:
            return self.space.suggested(trial, partial(self._seed, trial.number, self._sampler_for(trial.number)))

        return cast("dict[str, Any]", self.again(suggested))

    def running(self, number: int) -> Trial:
        """A trial that has been proposed, as Optuna takes it."""

        def opened() -> Trial:
            frozen = self.optuna_study.get_trials(deepcopy=False)[number]
            self._seed(number, self._sampler_for(number))
            return Trial(self.optuna_study, frozen._trial_id)

        return cast("Trial", self.again(opened))

    def report(self, number: int, epochs: int, value: float) -> bool:
        """Note how a trial does after so many epochs; says whether it goes on, and notes that too."""

        def noted() -> bool:
            trials = self.optuna_study.get_trials(deepcopy=False)
            trial = trials[number]
            # The verdict first: what has a value has been judged, and is never judged again with others beside it.
            if f"{GOES_ON}{epochs}" not in trial.user_attrs:
                others = [other.intermediate_values for other in trials if other.number != number]
                verdict = goes_on(value, [known[epochs] for known in others if epochs in known], self.config.reduction)
                self._attribute(trial, f"{GOES_ON}{epochs}", verdict)
            else:
                verdict = bool(trial.user_attrs[f"{GOES_ON}{epochs}"])
            if epochs not in trial.intermediate_values:
                self._storage.set_trial_intermediate_value(trial._trial_id, epochs, value)
            return verdict

        return bool(self.again(noted))

    def is_stopped(self, number: int) -> bool:
        """Whether a trial was judged not to go on, whatever has been done about it."""
        attributes = self.again(lambda: self.optuna_study.get_trials(deepcopy=False))[number].user_attrs
        return any(name.startswith(GOES_ON) and not verdict for name, verdict in attributes.items())

    def discard(self, number: int, reason: str) -> None:
        """Note that a point that was proposed is no pipeline: it does not count."""

        def noted() -> None:
            trial = self.optuna_study.get_trials(deepcopy=False)[number]
            self._attribute(trial, INFEASIBLE, reason)
            self.optuna_study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

        self.again(noted)

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
        known = cast("list[FrozenTrial]", self.again(lambda: self.optuna_study.get_trials(deepcopy=False)))
        number = sum(trial.state != TrialState.WAITING for trial in known)
        if number == len(known):
            tried = [trial.system_attrs.get("fixed_params") for trial in known]
            given = next((point for point in self._given if point not in tried), None)
            if given is None and self.prior is not None:
                given = self.prior.next_point(known)
            if given is None and self.config.chosen_sampler == "grid":
                return None
            if given is not None:
                self.again(lambda: self.optuna_study.enqueue_trial(given))

        def asked() -> Trial:
            self._seed(number, self._sampler_for(number))
            trials = self.optuna_study.get_trials(deepcopy=False)
            if len(trials) > number and trials[number].state == TrialState.RUNNING:
                # It was made, and the connection was lost before it could be told.
                return Trial(self.optuna_study, trials[number]._trial_id)
            return self.optuna_study.ask()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cast("Trial", self.again(asked))

    @cached_property
    def _given(self) -> list[dict[str, Any]]:
        """What is tried first, as the sampler has it; of a grid all of it."""
        first = [_drawn(self.space, point) for point in self.config.first]
        points = map(self.space.drawn, self.space.points()) if self.config.chosen_sampler == "grid" else ()
        return [*first, *(point for point in points if point not in first)]

    @property
    def _storage(self) -> optuna.storages.BaseStorage:
        return self.optuna_study._storage

    def _sampler_for(self, number: int) -> Sampler:
        """That of the search; one that draws by lot after many refusals in a row."""
        before = self.optuna_study.get_trials(deepcopy=False)[max(0, number - REFUSALS) : number]
        refused = sum(INFEASIBLE in trial.user_attrs for trial in before)
        return "random" if refused == REFUSALS else self.config.chosen_sampler

    def _seed(self, number: int, sampler: Sampler, path: str = "") -> None:
        """For the drawing of one field: what is drawn does not depend on which others had been drawn before a crash."""
        content = f"{self.config.seed} {number} {path}".encode()
        seed = int.from_bytes(hashlib.blake2b(content, digest_size=4).digest(), "little") >> 1
        self.optuna_study.sampler = _sampler(sampler, seed)

    def _attribute(self, trial: FrozenTrial, name: str, value: Any) -> None:
        self._storage.set_trial_user_attr(trial._trial_id, name, value)


def open_study(config: SearchConfig, space: Space, out: Path, name: str, prior: Prior | None = None) -> Study:
    """The study of a search, made if it is not there.

    Args:
        config: Of the search.
        space: Its space.
        out: Its folder, where the database is unless the search names another.
        name: Of the study in that database.
        prior: What known runs foretell, where the sampler asks that.

    Raises:
        UserError: If the database cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    address = config.storage or f"sqlite:///{out / DATABASE}"
    if address.startswith("sqlite:///") and not address.startswith("sqlite:////"):
        raise UserError("storage", f"{address} is seen from wherever the search is started; give the whole path")
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
            "storage", f"{without_password(address)} cannot be used ({reason}); mend it, or leave storage out"
        ) from error
    found = Study(config, space, study, _again, prior)
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


def _sampler(name: Sampler, seed: int) -> BaseSampler:
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


def without_password(address: str) -> str:
    """The address of a database, to be shown."""
    try:
        return make_url(address).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "the address"
