"""Parts of contexts: all of it is read, nothing is cut off unseen, and places lead back to the characters."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from distiller import models as distiller_models
from distiller.labels import Answer
from distiller.tasks import Predictions, answers, tokenize
from distiller.tasks.passages import NO_ANSWER, Room, cut, nearest_read
from distiller.tasks.tokens import pieces_of

SCRIPTS = [
    "a",
    "Zq",
    "é",
    "e\u0301",
    "東",
    "京都",
    "한국",
    "שלום",
    "مرحبا",
    "กขค",
    "🙂",
    "👩‍👩‍👧",
    "½",
    "1990s",
    "'s",
    "\u200b",
]
SPACES = [" ", "  ", "\t", "\n", "\u00a0", ""]
SIGNS = [".", ",", "(", ")", "—", '"', "$", "`", "-"]
CONTEXTS = st.lists(st.tuples(st.sampled_from(SCRIPTS + SIGNS), st.sampled_from(SPACES)), min_size=1, max_size=60).map(
    lambda parts: "".join(piece + space for piece, space in parts)
)
CORPUS = ["the river (1990s) 'quoted' is long, and a - b $5 \"so\" é東京都한국 שלום مرحبا กขค 🙂 ½ e\u0301"] * 3


def _byte_level() -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def _sentence_pieces() -> Any:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        CORPUS, trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>")
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def _letters() -> Any:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    return BertTokenizerFast(vocab={token: number for number, token in enumerate(vocabulary)})


READERS: dict[str, Callable[[], Any]] = {
    "word pieces": lambda: distiller_models.load_tokenizer("asset:minilm-l6", "test"),
    "letters": _letters,
    "byte level": _byte_level,
    "sentence pieces": _sentence_pieces,
}


@pytest.fixture(scope="module", params=READERS)
def reader(request: pytest.FixtureRequest) -> Any:
    return READERS[request.param]()


@given(CONTEXTS, st.integers(0, 12), st.data())
@example("a" * 200, 4, None)
def test_every_answer_is_found_again_where_it_stands(reader: Any, context: str, stride: int, data: Any) -> None:
    pieces = pieces_of(context)
    assume(pieces)
    first = data.draw(st.integers(0, len(pieces) - 1)) if data else 0
    last = data.draw(st.integers(first, min(len(pieces) - 1, first + 5))) if data else 0
    start, end = pieces[first][0], pieces[last][1]
    room = Room(reader, 32, stride)
    passages = cut([("who is it?", context)], [(Answer(start, context[start:end]),)], ["q"], [room])
    tokens = tokenize(passages.texts, reader, 32, "pieces", answers=True)
    assert tokens.words is not None
    seen: set[tuple[int, int]] = set()
    at = 0
    for number, ((_, text), places) in enumerate(zip(passages.texts, passages.places, strict=True)):
        begins = places[0][0] - pieces_of(text)[0][0]
        assert context[begins : begins + len(text)] == text
        assert [(begins + left, begins + right) for left, right in pieces_of(text)] == places
        assert at in range(places[0][0] + 1) or places[0] in seen  # no gap before it
        at = places[-1][1]
        seen |= {*places}
        begins, ends = tokens.words.read_places(number)
        assert len(begins) == len(ends) == len(places) + 1
        assert begins[NO_ANSWER]
        target = nearest_read(passages.targets[number], begins, ends)
        if passages.targets[number] != (NO_ANSWER, NO_ANSWER):
            assert (places[passages.targets[number][0] - 1][0], places[passages.targets[number][1] - 1][1]) == (
                start,
                end,
            )
            # As good as whole tokens can say it: what is told is the answer, and at most the rest of two tokens.
            if any(begins[1 : passages.targets[number][0] + 1]) and any(ends[passages.targets[number][1] :]):
                assert 0 < target[0] <= passages.targets[number][0]
                assert target[1] >= passages.targets[number][1]
                assert begins[target[0]]
                assert ends[target[1]]
    assert seen == {*pieces}
    whole = tokenize([("who is it?", context)], reader, 100_000, "pieces", answers=True)
    assert whole.words is not None
    # What a model reads of the whole it also reads of some part: nothing is cut off unseen.
    longest = max((tokens.words.end - tokens.words.first).tolist())
    if longest < 12:
        somewhere = {
            place
            for number, places in enumerate(passages.places)
            for place, is_read in zip(places, tokens.words.read_places(number)[0][1:], strict=True)
            if is_read
        }
        of_whole = {place for place, is_read in zip(pieces, whole.words.read_places(0)[0][1:], strict=True) if is_read}
        assert of_whole <= somewhere


def test_parts_overlap_by_the_stride(reader: Any) -> None:
    context = " ".join(f"w{number % 10}" for number in range(200))
    for stride in (0, 6):
        passages = cut([("who?", context)], [None], ["q"], [Room(reader, 32, stride)])
        assert passages.targets == [(-100, -100)] * len(passages.texts)
        for before, after in zip(passages.places, passages.places[1:], strict=False):
            again = [place for place in after if place in before]
            if stride == 0:
                assert not again
                continue
            assert again
            shared = reader(context[again[0][0] : again[-1][1]], add_special_tokens=False)["input_ids"]
            assert len(shared) <= stride


def test_a_question_that_is_very_long_leaves_half_of_the_room(reader: Any) -> None:
    question = " ".join(["why"] * 100)
    passages = cut([(question, "because of it")], [None], ["q"], [Room(reader, 32, 4)])
    assert all(question.startswith(asked) for asked, _ in passages.texts)
    assert "".join(text for _, text in passages.texts) == "because of it"


def test_questions_keep_their_order_and_names(tiny_bert: Path) -> None:
    tokenizer = distiller_models.load_tokenizer(str(tiny_bert), "test")
    long = " ".join(["word"] * 60)
    passages = cut(
        [("a?", long), ("b?", "short")], [(), (Answer(0, "short"),)], ["first", "second"], [Room(tokenizer, 32, 8)]
    )
    assert passages.questions == sorted(passages.questions)
    assert passages.questions[-1] == 1
    assert passages.targets[-1] == (1, 1)
    assert {*passages.targets[:-1]} == {(0, 0)}
    assert passages.names == ["first", "second"]


def test_places_are_the_same_tokens_on_whichever_side_a_batch_is_padded() -> None:
    texts = [("who?", "a b"), ("who is it?", "some more words")]
    for side in ("right", "left"):
        reader = READERS["word pieces"]()
        reader.padding_side = side
        tokens = tokenize(texts, reader, 32, "pieces", answers=True)
        batch = tokens.batch([0, 1])
        for row, (_, context) in enumerate(texts):
            ids, places = batch["input_ids"][row].tolist(), batch["places"][row].tolist()
            assert ids[places[0][0]] == reader.cls_token_id
            assert [reader.decode(ids[first : last + 1]) for first, last in places[1:] if first >= 0] == context.split()


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("It is 30 °C outside.", "30 °C"),
        ("He paid £1 for it", "£1"),
        ("Gandhi's salt march", "Gandhi's"),
        ("the year (1990).", "(1990)"),
        ("東京は首都である", "東京"),
        ("세종대왕은 한글을 만들었다", "세종대왕"),
        ("กรุงเทพมหานครเป็นเมืองหลวง", "กรุงเทพมหานคร"),
    ],
)
def test_a_model_that_is_sure_of_the_answer_says_it_whole(reader: Any, context: str, answer: str) -> None:
    """Logits that say just where it is, from the targets to the text: no less than it, no more than its last token."""
    start = context.index(answer)
    passages = cut([("what?", context)], [(Answer(start, answer),)], ["q"], [Room(reader, 512, 8)])
    tokens = tokenize(passages.texts, reader, 512, "pieces", answers=True)
    assert tokens.words is not None
    begins, ends = tokens.words.read_places(0)
    first, last = nearest_read(passages.targets[0], begins, ends)
    logits = np.where(np.array([begins, ends]).T, 0.0, np.nan).astype(np.float32)
    logits[first, 0] = logits[last, 1] = 9.0
    (found,) = answers(Predictions(logits, np.zeros(1), np.array([len(begins)]), None, passages))
    read = reader(context, return_offsets_mapping=True)["offset_mapping"]
    told = found[0].text
    assert answer in told or not any(places for places in read)
    stretched = [bound for bound in read if bound[0] < start + len(answer) <= bound[1] or bound[0] <= start < bound[1]]
    assert len(told) <= max(end for _, end in stretched) - min(begin for begin, _ in stretched) + len(answer)


def test_nearly_all_answers_of_squad_are_whole_words(shared_data: Path) -> None:
    """Which docs/pipeline.md says."""
    cut_off = total = 0
    for name in ("squad-v2-dev-half.json", "xquad-en.json"):
        for article in json.loads((shared_data / "squad" / name).read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                starts, ends = (({*side}) for side in zip(*pieces_of(paragraph["context"]), strict=True))
                for answer in (question["answers"][0] for question in paragraph["qas"] if question["answers"]):
                    text, start = answer["text"], answer["answer_start"]
                    begins, stops = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
                    total += 1
                    cut_off += begins not in starts or stops not in ends
    assert (cut_off, total) == (3, 4100)
