"""What every source of examples has to hold."""

from itertools import pairwise
from typing import ClassVar

import pytest

from distiller.data import DataConfig, load
from distiller.data.sources import Source, open_source
from distiller.errors import UserError
from distiller.labels import LabelKind


class SourceConformance:
    """Inherit, set what is known of the source from elsewhere, and give the fixture `name`.

    `kind` is its class, `sizes` the number of rows of each split, `own` whether it knows its columns, `labels` what its
    labels are.
    """

    kind: ClassVar[type[Source]]
    sizes: ClassVar[dict[str, int]]
    own: ClassVar[bool]
    labels: ClassVar[LabelKind] = "classes"

    @pytest.fixture
    def source(self, name: str) -> Source:
        return open_source(name, "data.source")

    def test_it_is_the_kind_that_answers_and_goes_by_the_name_that_the_user_wrote(
        self, source: Source, name: str
    ) -> None:
        assert type(source) is self.kind
        assert source.name == name

    def test_every_split_has_the_rows_that_it_should_in_whole_columns(self, source: Source) -> None:
        assert {split: len(source.read(split).numbers) for split in source.splits} == self.sizes
        for split in source.splits:
            rows = source.read(split)
            assert {len(cells) for cells in rows.columns.values()} == {len(rows.numbers)}

    def test_row_numbers_start_at_1_or_later_and_rise(self, source: Source) -> None:
        for split in source.splits:
            numbers = list(source.read(split).numbers)
            assert numbers[0] >= 1
            assert all(one < following for one, following in pairwise(numbers))

    def test_reading_twice_gives_the_same(self, source: Source, name: str) -> None:
        for split in source.splits:
            assert source.read(split).columns == open_source(name, "data.source").read(split).columns

    def test_a_split_that_is_not_there_is_refused_with_those_that_are(self, source: Source, name: str) -> None:
        with pytest.raises(UserError) as refusal:
            source.read("trian")
        assert str(refusal.value).startswith(f"{name}: unknown split 'trian'; did you mean 'train'?")
        assert all(split in str(refusal.value) for split in source.splits)

    def test_the_columns_that_it_knows_are_there(self, source: Source) -> None:
        assert (source.text is not None) == (source.label is not None) == self.own
        for split in source.splits:
            assert {*(source.text or []), *filter(None, [source.label])} <= {*source.read(split).columns}

    def test_it_loads_as_a_dataset_that_keeps_every_example(self, name: str) -> None:
        dataset = load(self.config(name), self.labels, seed=0)
        assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == sum(self.sizes.values())
        assert min(len(dataset.train), len(dataset.validation), len(dataset.test)) > 0
        assert (dataset.classes is None) == (self.labels == "numbers")

    def config(self, name: str) -> DataConfig:
        """How the user would name the source; override it if more has to be said."""
        return DataConfig(source=name)
