"""Searches on Ray and with PostgreSQL, for real, with what they work on killed or started anew meanwhile."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from conftest import Written
from distiller import UserError, search

pytestmark = pytest.mark.usefixtures("own_cache")
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), None)
needs_postgres = pytest.mark.skipif(POSTGRES is None, reason="needs Debian's postgresql")
COMMAND = [sys.executable, "-m", "distiller", "search"]


@pytest.fixture
def ray_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A head of Ray on this machine, with two workers, for those that have its token alone."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    pytest.importorskip("ray")
    command = shutil.which("ray", path=str(Path(sys.executable).parent))
    assert command is not None
    environment = {**os.environ, "RAY_DISABLE_IMPORT_WARNING": "1"}
    start = ["start", "--head", "--port=0", "--num-cpus=2", "--include-dashboard=false"]
    memory = ["--object-store-memory=100000000", f"--temp-dir={_short_folder()}"]
    started = subprocess.run(
        [command, *start, *memory, "--disable-usage-stats"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    address = re.search(r"--address='([\d.]+:\d+)'", started.stdout)
    assert address is not None, started.stdout
    yield address[1]
    _stop_ray()


def _search_while(arguments: list[str], disturb: Callable[[], None]) -> None:
    """Run a search to its end, and every two seconds disturb it."""
    driver = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
    while driver.poll() is None:
        try:
            driver.wait(2.0)
        except subprocess.TimeoutExpired:
            disturb()
    assert driver.returncode == 0, driver.stderr.read() if driver.stderr else ""


def _short_folder() -> str:
    """Ray's sockets lie there, and their paths may not be long."""
    return f"/tmp/ray-{os.getpid()}"


def _stop_ray() -> None:
    """What was started here, and no other Ray of this machine, which `ray stop` would stop too."""
    own = [process for process in psutil.process_iter() if _short_folder() in _command_of(process)]
    for process in own:
        process.kill()
    psutil.wait_procs(own)


def _ray_workers() -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _is_task(process)]


def _is_task(process: psutil.Process) -> bool:
    return re.search(r"^ray::\d{4}", _command_of(process)) is not None  # named as the trial


def _command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_a_search_on_ray_outlives_its_workers(ray_address: str, search_file: Written, tmp_path: Path) -> None:
    """Workers are killed while they train: each trial ends once, as it would have."""
    file = search_file(trials=3, executor={"type": "ray", "address": ray_address, "workers": 2})
    out = tmp_path / "out"
    kills = 0

    def kill() -> None:
        nonlocal kills
        workers = _ray_workers()
        if workers and kills < 2:
            workers[0].send_signal(signal.SIGKILL)
            kills += 1

    _search_while([str(file), "--out", str(out)], kill)
    assert kills > 0
    here = search(search_file(trials=3), tmp_path / "here").summary
    storage = f"sqlite:///{out / 'study.db'}"
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
    assert [trial.values for trial in trials] == [trial["values"] for trial in here["trials"]]
    for number in range(3):
        assert "teacher: outputs of" in (out / "runs" / f"{number:04d}" / "log.txt").read_text()


def test_a_ray_that_is_not_there_is_one_line(search_file: Written, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    file = search_file(executor={"type": "ray", "address": "127.0.0.1:9"})
    with pytest.raises(UserError, match=r"executor\.address: no Ray cluster answers at '127\.0\.0\.1:9'"):
        search(file, tmp_path / "out")


class Postgres:
    """A server on a folder and a port of its own; as another user, since it refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 20000 + os.getpid() % 20000
        self.address = f"postgresql://distiller@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        assert POSTGRES is not None
        command = [str(POSTGRES / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def create(self) -> None:
        self.folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.run("initdb", "-D", str(self.folder / "data"), "-U", "distiller", "-A", "trust", "-E", "UTF8")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self.run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self, how: str) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres(Path(f"/tmp/distiller-postgres-{os.getpid()}"))
    shutil.rmtree(server.folder, ignore_errors=True)
    server.create()
    server.start()
    yield server
    server.stop("immediate")
    shutil.rmtree(server.folder, ignore_errors=True)


@needs_postgres
def test_a_search_outlives_its_database(postgres: Postgres, search_file: Written, tmp_path: Path) -> None:
    """The server is stopped at once, as by a crash, and started again, while trials run."""
    file = search_file(trials=4, storage=postgres.address)
    out = tmp_path / "out"
    restarts = 0

    def restart() -> None:
        nonlocal restarts
        if restarts < 3 and (out / "runs").exists():
            postgres.stop("immediate")
            postgres.start()
            restarts += 1

    _search_while([str(file), "--out", str(out)], restart)
    assert restarts > 0
    here = search(search_file(trials=4), tmp_path / "here").summary
    (study,) = optuna.get_all_study_summaries(postgres.address)
    trials = optuna.load_study(study_name=study.study_name, storage=postgres.address).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    assert [trial.values for trial in trials] == [trial["values"] for trial in here["trials"]]
    assert not (out / "study.db").exists()
