"""A dataset of the Hugging Face hub: `owner/name`, or `owner/name:config`.

`datasets` is imported where it is used: that takes half a second, and most data are files.
"""

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from distiller.data.rows import Rows
from distiller.data.sources.source import Source
from distiller.errors import UserError
from distiller.hub import quiet_hub

if TYPE_CHECKING:
    from datasets import DatasetDict

HUB_ID = re.compile(r"(?P<id>[\w.-]+(/[\w.-]+)?)(:(?P<config>[\w.-]+))?")


class Hub(Source):
    """A dataset that `datasets` loads; class numbers become the names that the dataset gives them."""

    def __init__(self, name: str, dataset: str, config: str | None) -> None:
        self.name = name
        self._dataset = dataset
        self._config = config

    @classmethod
    def opened(cls, name: str) -> "Hub | None":
        from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES

        match = HUB_ID.fullmatch(name)
        # For `datasets` csv, json, text, … are no ids but its readers of local files.
        if match is None or match["id"] in _PACKAGED_DATASETS_MODULES:
            return None
        return cls(name, match["id"], match["config"])

    @property
    def splits(self) -> list[str]:
        return [str(split) for split in self._loaded]

    def _read(self, split: str) -> Rows:
        rows = self._loaded[split]
        columns = {name: _cells(rows, name) for name in rows.column_names}
        return Rows(f"{self.name} {split}", "row", range(1, len(rows) + 1), columns, typed=True)

    @cached_property
    def _loaded(self) -> "DatasetDict":
        from datasets import load_dataset

        try:
            with quiet_hub():
                return load_dataset(self._dataset, self._config)
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            mend = "no such file or folder, and not to be had from the hub"
            advice = "check the spelling and the connection; an asset is asset:NAME, a configuration id:config"
            raise UserError(self.name, f"{mend} ({type(error).__name__}: {reason}); {advice}") from error


def _cells(rows: Any, name: str) -> list[Any]:
    from datasets import ClassLabel, List

    feature, cells = rows.features[name], rows[name][:]
    if isinstance(feature, List) and isinstance(feature.feature, ClassLabel):
        name_of = feature.feature.int2str
        withheld = [cell is None or any(number is None or number < 0 for number in cell) for cell in cells]
        return [None if none else [*map(name_of, cell)] for none, cell in zip(withheld, cells, strict=True)]
    if not isinstance(feature, ClassLabel):
        return [*cells]
    # Test sets of benchmarks have -1 where the label is withheld.
    return [None if cell is None or cell < 0 else feature.int2str(cell) for cell in cells]
