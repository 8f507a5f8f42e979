"""Processes of their own, forked off one that has the libraries: to import them takes longer than most commands.

Variables that libraries read when they are imported, such as HF_HUB_OFFLINE, are those of the test process.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "distiller.cli.main",
        "distiller.export",
        "distiller.report",
        "distiller.search",
        "matplotlib.pyplot",
        "optuna",
        "sklearn.ensemble",
        "torch",
        "transformers",
    ]
)


def run_command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `distiller ARGUMENTS…` leaves on stdout and stderr, and its exit code; not on a terminal."""
    return _run(_command, arguments, environment)


def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What a script leaves that finds its arguments in `sys.argv[1:]`."""
    return _run(_script, (script, *arguments), {})


def _run(
    target: Callable[[], None], arguments: tuple[object, ...], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    with TemporaryDirectory() as folder:
        said = Path(folder) / "stdout", Path(folder) / "stderr"
        given = ([*map(str, arguments)], {**os.environ, **environment}, str(Path.cwd()), *said)
        process = _FORKS.Process(target=_begin, args=(target, *given))
        process.start()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(arguments, process.exitcode, *(path.read_text() for path in said))


def _begin(
    target: Callable[[], None],
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    stdout: Path,
    stderr: Path,
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["distiller", *arguments]
    target()


def _command() -> None:
    from distiller.cli.main import main

    main()


def _script() -> None:
    script = sys.argv.pop(1)
    exec(compile(script, "script", "exec"), {"__name__": "__main__"})
