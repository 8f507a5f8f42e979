"""What memory a search holds after few trials and after many: its own, and that of the process of each trial.

30 trials of a student of two layers on 400 questions of TREC, one worker; the memory of each trial's process is the
most that was seen of it, looked at every fifth of a second.

    python benchmarks/search_memory.py --trials 30
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from distiller import Pipeline, SearchConfig, search

BASE = """
data: {source: asset:trec, limit: 400, max_length: 32}
teacher: {model: asset:minilm-l6, finetune: {epochs: 1}}
student: {layers: [0, 3]}
training: {epochs: 1}
"""
LOOK_SECONDS = 0.2
EARLY, LATE = slice(2, 5), slice(-3, None)


def main() -> None:
    """Search, look on, print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.yaml"
        Pipeline.from_text(BASE, "base").to_yaml(base)
        config = SearchConfig.model_validate(
            {
                "base": str(base),
                "space": {"training.learning_rate": {"low": 1e-4, "high": 1e-3, "log": True}},
                "sampler": "random",
                "pruner": "none",
                "confirm": None,
                "trials": arguments.trials,
            }
        )
        seen: dict[int, dict[str, float]] = {}
        over = threading.Event()
        watcher = threading.Thread(target=watch, args=(seen, over), daemon=True)
        watcher.start()
        search(config, Path(folder) / "out")
        over.set()
        watcher.join()
    trials = [each for each in seen.values() if each["trial"] > min(one["trial"] for one in seen.values()) / 2]
    early, late = trials[EARLY], trials[LATE]
    for name in ("trial", "search"):
        first, last = (max(each[name] for each in some) for some in (early, late))
        print(f"{name}: at most {first:.0f} MB in trials 3 to 5, {last:.0f} MB in the last three of {len(trials)}")


def watch(seen: dict[int, dict[str, float]], over: threading.Event) -> None:
    """Note by process of a trial, in the order in which they begin, the most memory of it and of the search."""
    search_process = psutil.Process()
    while not over.is_set():
        for process in search_process.children(recursive=True):
            try:
                if any("log.txt" in opened.path for opened in process.open_files()):
                    note(seen.setdefault(process.pid, {"trial": 0.0, "search": 0.0}), process, search_process)
            except psutil.Error:
                continue
        time.sleep(LOOK_SECONDS)


def note(most: dict[str, float], trial: Any, of_search: Any) -> None:
    """Raise what is known of one trial."""
    for name, process in (("trial", trial), ("search", of_search)):
        most[name] = max(most[name], process.memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
