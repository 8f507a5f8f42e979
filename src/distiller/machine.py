"""What the machine has that matters here."""

import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch
from huggingface_hub import constants

from distiller.assets import cache_folder
from distiller.hub import why_not_reachable

PROCESSOR = Path("/proc/cpuinfo")
PEAK_RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
PACKAGES = ("torch", "transformers", "datasets", "tokenizers", "accelerate")


def examine() -> dict[str, str]:
    """Findings by name, as `distiller doctor` shows them."""
    memory = psutil.virtual_memory()
    return {
        "python": platform.python_version(),
        **{name: _installed(name) for name in PACKAGES},
        "cores": f"{cores()} usable, torch uses {torch.get_num_threads()} threads",
        "memory": f"{_gigabytes(memory.available)} free of {_gigabytes(memory.total)}",
        "bfloat16": "yes" if has_bfloat16() else "no: precision auto means float32 here",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "hub": _hub(),
        "cache": f"{cache_folder()}",
        "cached assets": _size(cache_folder() / "assets"),
        "cached teachers": _size(cache_folder() / "teachers"),
        "hub cache": f"{constants.HF_HUB_CACHE}: {_size(Path(constants.HF_HUB_CACHE))}",
    }


def has_bfloat16() -> bool:
    """Whether the GPU, or else the processor, has bfloat16 instructions; emulated ones are slower than float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if not PROCESSOR.exists():
        return False
    flags = PROCESSOR.read_text(encoding="utf-8", errors="replace").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def reset_peak_memory() -> None:
    """Begin to measure `peak_memory_mb` anew, where the system can (Linux)."""
    if PEAK_RESET.exists():
        PEAK_RESET.write_text("5", encoding="ascii")


def peak_memory_mb() -> float:
    """The most memory that this process has held since `reset_peak_memory`, in megabytes; elsewhere since its start."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def cores() -> int:
    """How many of the processor's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _hub() -> str:
    reason = why_not_reachable()
    if reason is not None:
        return f"{constants.ENDPOINT} not reachable ({reason}): use asset:NAME or local folders"
    return f"{constants.ENDPOINT} reachable"


def _size(folder: Path) -> str:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return _gigabytes(sum(path.stat().st_size for path in files))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
