"""A progress bar with rate and time left, silent where nobody looks at a terminal."""

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column
from transformers import TrainerCallback


class ProgressBar(TrainerCallback):
    """Steps done, examples a second, time left, and the last validation score."""

    def __init__(self, title: str, metric: str) -> None:
        self._metric = metric
        self._batch = 1
        self._progress = _progress(_part("{task.fields[score]}"))
        self._task = self._progress.add_task(title, rate="", score="")

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._batch = args.per_device_train_batch_size * args.world_size
        self._progress.update(self._task, total=state.max_steps, completed=state.global_step)
        self._progress.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        speed = self._progress.tasks[0].speed
        rate = f"{speed * self._batch:.0f} examples/s" if speed else ""
        self._progress.update(self._task, completed=state.global_step, rate=rate)

    def on_evaluate(self, args: Any, state: Any, control: Any, **values: Any) -> None:
        score = values["metrics"][f"eval_{self._metric}"]
        self._progress.update(self._task, score=f"{self._metric} {score:.3f}")

    def stop(self) -> None:
        """Leave the terminal as it was; also after an error."""
        self._progress.stop()


class TextsBar:
    """Texts done, texts a second, time left."""

    def __init__(self, title: str, total: int) -> None:
        self._progress = _progress()
        self._task = self._progress.add_task(title, total=total, rate="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, texts: int) -> None:
        """So many more are done."""
        speed = self._progress.tasks[0].speed
        self._progress.update(self._task, advance=texts, rate=f"{speed:.0f} texts/s" if speed else "")


def _progress(*last: TextColumn) -> Progress:
    """What is done, how fast, how long still, and what else there is to say; nothing but in a terminal."""
    console = Console(stderr=True)
    return Progress(
        _part("{task.description}"),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        _part("{task.fields[rate]}"),
        TimeRemainingColumn(),
        _part("left"),
        *last,
        console=console,
        disable=not console.is_terminal,
    )


def _part(text: str) -> TextColumn:
    """Text that is not broken over lines where the terminal is narrow."""
    return TextColumn(text, table_column=Column(no_wrap=True))
