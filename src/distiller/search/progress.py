"""What a search shows meanwhile: a live table on a terminal, else a line for each trial that has ended."""

import time
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.live import Live
from rich.table import Table

from distiller.search.study import FAILURE

WORDS = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass
class Progress:
    """Of a search for so many trials.

    Attributes:
        wanted: Trials.
        goals: What is sought.
    """

    wanted: int
    goals: list[str]
    _console: Console = field(default_factory=lambda: Console(stderr=True))
    _told: set[int] | None = None
    _live: Live | None = None
    _began: float = field(default_factory=time.monotonic)
    _before: int = 0

    def begin(self, trials: list[FrozenTrial]) -> None:
        """Nothing is said of what has ended before."""
        self._told = {trial.number for trial in trials if trial.state.is_finished()}
        self._before = len(self._told)
        if self._told:
            self.say(f"going on with the search: {self._before} of {self.wanted} trials have ended")
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()

    def show(self, trials: list[FrozenTrial], running: int) -> None:
        """How it stands."""
        if self._live is not None:
            self._live.update(self._table(trials, running))
            return
        told = self._told if self._told is not None else set()
        for trial in trials:
            if trial.state.is_finished() and trial.number not in told:
                told.add(trial.number)
                self.say(f"trial {trial.number} {WORDS[trial.state]}{self._found(trial)}; {self._rest(trials)}")

    def say(self, line: str) -> None:
        """One line, above the table if there is one."""
        self._console.print(f"search: {line}", markup=False, highlight=False, soft_wrap=True)

    def _found(self, trial: FrozenTrial) -> str:
        if trial.state == TrialState.FAIL:
            return f" ({trial.user_attrs.get(FAILURE, 'no reason given')})"
        values = trial.values if trial.state == TrialState.COMPLETE else [*trial.intermediate_values.values()][-1:]
        pairs = zip(self.goals, values or [], strict=False)
        return ": " + ", ".join(f"{goal} {value:.4g}" for goal, value in pairs)

    def _table(self, trials: list[FrozenTrial], running: int) -> Table:
        counts = {word: sum(trial.state == state for trial in trials) for state, word in WORDS.items()}
        table = Table("running", *counts, "best so far", "trials an hour", "left")
        table.add_row(str(running), *map(str, counts.values()), best(trials, self.goals), *self._pace(trials))
        return table

    def _rest(self, trials: list[FrozenTrial]) -> str:
        rate, left = self._pace(trials)
        return f"best so far {best(trials, self.goals)}; {rate} an hour, {left} left"

    def _pace(self, trials: list[FrozenTrial]) -> tuple[str, str]:
        ended = sum(trial.state.is_finished() for trial in trials)
        hours = (time.monotonic() - self._began) / 3600
        if ended <= self._before or hours == 0:
            return "?", "?"
        rate = (ended - self._before) / hours
        minutes = 60 * max(0, self.wanted - ended) / rate
        return f"{rate:.0f}", f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.0f} min"


def best(trials: list[FrozenTrial], goals: list[str]) -> str:
    """The best that any trial has come to in the first of the goals."""
    found = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not found:
        return "none yet"
    one = max(found, key=lambda trial: trial.values[0])
    return f"{goals[0]} {one.values[0]:.4f} (trial {one.number})"
