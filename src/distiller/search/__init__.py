"""Many pipelines: proposed out of a space, run side by side, compared, and none of it ever lost."""

import sys
from types import ModuleType
from typing import Any

from distiller.search.config import SearchConfig
from distiller.search.result import SearchResult
from distiller.search.run import search

__all__ = ["SearchConfig", "SearchResult", "search"]


class _Room(ModuleType):
    """`distiller.search` is this room, and the function of that name."""

    def __call__(self, *arguments: Any, **named: Any) -> SearchResult:
        return search(*arguments, **named)


sys.modules[__name__].__class__ = _Room
