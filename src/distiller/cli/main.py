"""`distiller`: the commands, and what becomes of errors."""

import errno
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer

from distiller.cli.demo import demo
from distiller.cli.distill import distill
from distiller.cli.doctor import doctor
from distiller.cli.evaluate import evaluate
from distiller.cli.finetune import finetune
from distiller.errors import UserError
from distiller.version import __version__

STOPPED = 130
WRONG_INPUT = 2
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOTDIR}

app = typer.Typer(
    help="Give it a fine-tuned transformer, data and a budget: get a small student back, and the evidence for why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, finetune, distill, evaluate, doctor):
    app.command()(command)


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
    try:
        app()
    except UserError as error:
        typer.echo(str(error), err=True)
        sys.exit(WRONG_INPUT)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        typer.echo(
            f"{error.filename or 'the disk'}: {error.strerror}; make room there, or name another --out", err=True
        )
        sys.exit(WRONG_INPUT)
    except SystemExit as end:
        if end.code == STOPPED:
            typer.echo(
                "stopped; nothing is lost: distill goes on with --resume, demo and finetune by themselves", err=True
            )
        raise
    sys.exit(0)


def _stop(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
