"""Distiller: a teacher, data and a budget in; a small student and the evidence for it out."""

from importlib import import_module
from typing import Any

from distiller.version import __version__

_ROOM_OF = {
    "Analysis": "distiller.analysis",
    "Pipeline": "distiller.pipeline",
    "Recommender": "distiller.recommend",
    "RunResult": "distiller.training",
    "UserError": "distiller.errors",
    "SearchConfig": "distiller.search",
    "SearchResult": "distiller.search",
    "analyze": "distiller.analysis",
    "distill": "distiller.training",
    "search": "distiller.search",
}

__all__ = [
    "Analysis",
    "Pipeline",
    "Recommender",
    "RunResult",
    "SearchConfig",
    "SearchResult",
    "UserError",
    "__version__",
    "analyze",
    "distill",
    "search",
]


def __getattr__(name: str) -> Any:
    """Import a room only when something of it is asked for: `import distiller` alone loads neither torch nor pandas."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'distiller' has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)
