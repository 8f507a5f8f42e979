from hypothesis import given
from hypothesis import strategies as st

from distiller.training.sampler import LengthBucketSampler

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=300)


def _order(sampler: LengthBucketSampler, epoch: int) -> list[int]:
    sampler.set_epoch(epoch)
    return list(sampler)


@given(LENGTHS, st.integers(1, 16), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_each_text_comes_once_an_epoch_and_the_order_is_that_of_seed_and_epoch(
    lengths: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    sampler = LengthBucketSampler(lengths, batch_size, seed)
    order = _order(sampler, epoch)
    assert sorted(order) == list(range(len(lengths)))
    other_history = LengthBucketSampler(lengths, batch_size, seed)
    _order(other_history, epoch + 1)
    assert _order(other_history, epoch) == order


def test_orders_differ_between_epochs_and_seeds() -> None:
    lengths = [index % 7 + 1 for index in range(200)]
    first = LengthBucketSampler(lengths, 8, seed=0)
    orders = [_order(first, 0), _order(first, 1), _order(LengthBucketSampler(lengths, 8, seed=1), 0)]
    assert len({tuple(order) for order in orders}) == 3


@given(st.integers(1, 40), st.integers(2, 16), st.integers(0, 99))
def test_batches_hold_texts_of_like_length(batches: int, batch_size: int, seed: int) -> None:
    """As many texts of each length as a batch holds: within one pool every batch can be of one length, and is."""
    lengths = [1 + index // batch_size for index in range(batches * batch_size)]
    order = _order(LengthBucketSampler(lengths, batch_size, seed), 0)
    cut = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    assert all(len({lengths[row] for row in batch}) == 1 for batch in cut)


@given(LENGTHS.filter(lambda lengths: len(lengths) > 20), st.integers(2, 8))
def test_only_the_last_batch_is_short_so_no_batch_mixes_two(lengths: list[int], batch_size: int) -> None:
    order = _order(LengthBucketSampler(lengths, batch_size, seed=3), 0)
    spreads = [
        max(lengths[row] for row in order[start : start + batch_size])
        - min(lengths[row] for row in order[start : start + batch_size])
        for start in range(0, len(order) - batch_size, batch_size)
    ]
    # Sorted within a pool, the spreads of the batches cannot add up to more than the spread of the whole.
    assert sum(spreads) <= (max(lengths) - min(lengths)) * (1 + len(lengths) // (50 * batch_size))
