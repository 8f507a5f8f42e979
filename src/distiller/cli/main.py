"""`distiller`: the commands, and what becomes of errors."""

import atexit
import errno
import gc
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from distiller.cli.adapt_masked_lm import adapt_masked_lm
from distiller.cli.analyze import analyze
from distiller.cli.augment import augment
from distiller.cli.auto import auto
from distiller.cli.bench import bench
from distiller.cli.demo import demo
from distiller.cli.distill import distill
from distiller.cli.doctor import doctor
from distiller.cli.evaluate import evaluate
from distiller.cli.export import export
from distiller.cli.finetune import finetune
from distiller.cli.knowledge import knowledge
from distiller.cli.recommend import recommend
from distiller.cli.runs import runs
from distiller.cli.search import search
from distiller.cli.store import store
from distiller.errors import UserError
from distiller.version import __version__

STOPPED = 130
WRONG_INPUT = 2
OBJECTS_BEFORE_COLLECTION = 50_000
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}

app = typer.Typer(
    help="Give it a fine-tuned transformer, data and a budget: get a small student back, and the evidence for why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    demo,
    auto,
    finetune,
    distill,
    evaluate,
    export,
    bench,
    search,
    recommend,
    analyze,
    augment,
    adapt_masked_lm,
    doctor,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(store, name="store")
app.add_typer(runs, name="runs")
app.add_typer(knowledge, name="knowledge")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if wanted:
        typer.echo(f"distiller {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before any command."""


def main() -> NoReturn:
    """Run a command. Exit codes: 0 done; 2 the input is wrong; 130 stopped, resumable; 1 a fault of ours."""
    signal.signal(signal.SIGTERM, _stop)
    # What libraries of models import stays: to look through it for garbage as it comes takes a sixth of that time, and
    # once more at the end a third.
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    atexit.register(gc.freeze)
    try:
        app()
    except UserError as error:
        typer.echo(str(error), err=True)
        sys.exit(WRONG_INPUT)
    except OSError as error:
        mend = mend_of(error)
        if mend is None:
            raise
        typer.echo(f"{error.filename or 'the disk'}: {mend}", err=True)
        sys.exit(WRONG_INPUT)
    except SystemExit as end:
        if end.code == STOPPED:
            typer.echo(
                "stopped; nothing is lost: distill goes on with --resume;"
                " search, demo, finetune and runs import by themselves",
                err=True,
            )
        raise
    sys.exit(0)


def mend_of(error: OSError) -> str | None:
    """What the user can do about it; None if it is a fault of ours."""
    if error.errno in NO_ROOM:
        return f"{error.strerror}; make room there, or name another --out"
    if error.errno in NOT_WRITABLE or _is_named(error.filename):
        return f"cannot be written ({error.strerror}); name another --out, or set DISTILLER_CACHE if it is the cache"
    return None


def _is_named(path: object) -> bool:
    """Whether it is an argument of the command line, or a folder above one, e.g. of an --out that cannot be made."""
    given = [Path(argument.removeprefix("--out=")) for argument in sys.argv[1:]]
    return path is not None and any(Path(str(path)) in (argument, *argument.parents) for argument in given)


def _stop(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
