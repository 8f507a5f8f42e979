"""What words are like, by hand."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller import data
from distiller.data import DataConfig
from distiller.metafeatures.words import SAMPLE, word_features, words_of


def test_words_are_runs_of_letters_and_digits_in_lower_case() -> None:
    assert words_of("Who wrote “Émile”, in 1762?  — don't") == ["who", "wrote", "émile", "in", "1762", "don", "t"]
    assert words_of("🙂 …!") == []


def test_lengths_and_characters() -> None:
    texts = [("One two three.",), ("Three",), ("🙂",), ("four five, six seven",)]
    lengths = np.array([3, 1, 0, 4])
    found = word_features(texts)
    assert found["words_mean"] == lengths.mean()
    assert found["words_standard_deviation"] == pytest.approx(np.sqrt(((lengths - 2) ** 2).mean()))
    assert found["words_ninetieth_percentile"] == pytest.approx(3 + 0.7)  # at place 2.7 of 0, 1, 3, 4
    assert found["characters_per_word"] == (3 + 3 + 5 + 5 + 4 + 4 + 3 + 5) / 8
    assert {found[name] for name in ("type_token_ratio", "once_share", "pair_overlap")} == {None}


def test_without_words_there_is_nothing_to_say_of_them() -> None:
    assert word_features([("🙂", "")]) == {
        "words_mean": 0.0,
        "words_standard_deviation": 0.0,
        "words_ninetieth_percentile": 0.0,
        "characters_per_word": None,
        "type_token_ratio": None,
        "once_share": None,
        "pair_overlap": None,
    }


def test_pairs_overlap_as_jaccard_has_it() -> None:
    pairs = [("The cat sat", "the cat ran"), ("a a b", "b a"), ("x", "y"), ("🙂", "!"), ("", "word")]
    assert word_features(pairs)["pair_overlap"] == pytest.approx(np.mean([2 / 4, 1, 0, 0]))
    assert word_features([("one", "two three")])["words_mean"] == 3


def test_a_thousand_words_are_enough_to_say_how_varied_they_are() -> None:
    alike, different = [("word " * SAMPLE,)], [(f"w{number}",) for number in range(SAMPLE)]
    for texts, variety in ((alike, (1 / SAMPLE, 0)), (different, (1, 1))):
        found = word_features(texts)
        assert (found["type_token_ratio"], found["once_share"]) == pytest.approx(variety)
    assert word_features(different[1:])["type_token_ratio"] is None


@given(st.lists(st.integers(min_value=1, max_value=400), min_size=3, max_size=12))
def test_variety_is_the_mean_over_all_ways_to_draw_the_words(counts: list[int]) -> None:
    texts = [(f"w{number} " * count,) for number, count in enumerate(counts)]
    found, total = word_features(texts), sum(counts)
    if total < SAMPLE:
        assert found["type_token_ratio"] is None
        return
    ways = math.comb(total, SAMPLE)
    different = sum(1 - Fraction(math.comb(total - count, SAMPLE), ways) for count in counts)
    once = sum(Fraction(count * math.comb(total - count, SAMPLE - 1), ways) for count in counts)
    assert found["type_token_ratio"] == pytest.approx(float(different / SAMPLE))
    assert found["once_share"] == pytest.approx(float(once / different), abs=1e-12)


def test_variety_is_that_of_words_drawn_at_random_and_does_not_grow_with_the_data() -> None:
    texts = data.load(DataConfig(source="asset:trec"), "classes", seed=0).train.texts
    words = [word for (text,) in texts for word in words_of(text)]
    generator = np.random.default_rng(0)
    draws = [Counter(generator.choice(words, SAMPLE, replace=False)) for _ in range(100)]
    found = word_features(texts)
    assert found["type_token_ratio"] == pytest.approx(np.mean([len(draw) / SAMPLE for draw in draws]), abs=0.005)
    once = [sum(count == 1 for count in draw.values()) / len(draw) for draw in draws]
    assert found["once_share"] == pytest.approx(np.mean(once), abs=0.005)
    fewer = word_features(texts[::8])
    assert fewer["type_token_ratio"] == pytest.approx(found["type_token_ratio"], abs=0.02)
    assert fewer["once_share"] == pytest.approx(found["once_share"], abs=0.02)
