import csv
import json
from collections import Counter
from pathlib import Path

import pandas
import pytest

from conformance.data_sources import SourceConformance
from distiller.data import DataConfig, Splits, load
from distiller.data.sources import open_source
from distiller.data.sources.folder import Folder
from distiller.data.sources.glue import Glue
from distiller.errors import UserError


class GlueConformance(SourceConformance):
    kind = Glue
    own = True
    task: str
    metric: str | None
    columns: list[str]

    @pytest.fixture
    def name(self, shared_data: Path) -> str:
        return str(shared_data / "glue" / self.task)

    def test_its_columns_and_metric_are_those_of_the_benchmark(self, name: str) -> None:
        dataset = load(DataConfig(source=name), self.labels, seed=0)
        assert dataset.columns.text == self.columns
        assert dataset.metric == self.metric

    def test_dev_is_the_validation_split_and_test_is_cut_from_train(self, name: str) -> None:
        dataset = load(DataConfig(source=name), self.labels, seed=0)
        assert len(dataset.validation) == self.sizes["validation"]
        assert len(dataset.test) == min(1000, round(self.sizes["train"] / 10))
        assert dataset.overlap["train/test"] == 0


class TestRte(GlueConformance):
    task, metric, columns = "RTE", None, ["sentence1", "sentence2"]
    sizes = {"train": 2490, "validation": 277}


class TestMrpc(GlueConformance):
    task, metric, columns = "MRPC", "f1", ["sentence1", "sentence2"]
    sizes = {"train": 3667, "validation": 408}


class TestStsB(GlueConformance):
    task, metric, columns = "STS-B", "pearson", ["sentence1", "sentence2"]
    sizes = {"train": 5749, "validation": 1500}
    labels = "numbers"


class TestCola(GlueConformance):
    task, metric, columns = "CoLA", "matthews", ["sentence"]
    sizes = {"train": 8551, "validation": 1043}


class TestSst2(GlueConformance):
    task, metric, columns = "SST-2", None, ["sentence"]
    sizes = {"train": 67349, "validation": 872}


MNLI = (
    "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse "
    "sentence1 sentence2 label1"
)


@pytest.mark.parametrize(
    ("header", "text", "metric"),
    [
        ("index question sentence label", ["question", "sentence"], None),
        ("id qid1 qid2 question1 question2 is_duplicate", ["question1", "question2"], "f1"),
        ("index sentence1 sentence2 label", ["sentence1", "sentence2"], None),
        (f"{MNLI} gold_label", ["sentence1", "sentence2"], None),
    ],
    ids=["QNLI", "QQP", "WNLI", "MNLI"],
)
def test_other_pairs_are_known_by_the_headers_that_are_distributed(
    tmp_path: Path, header: str, text: list[str], metric: str | None
) -> None:
    """As the readers of the hub's `glue` dataset name these columns."""
    of_mnli = header.endswith("gold_label")
    names = header.split()
    for file in ("train", "dev_matched", "dev_mismatched") if of_mnli else ("train", "dev"):
        more = ["label2", "label3"] if of_mnli and file != "train" else []
        columns = [*names[:-1], *more, names[-1]]
        lines = [[f'{file} "{name}" {row}' for name in columns[:-1]] + ["yn"[row % 2]] for row in range(30)]
        (tmp_path / f"{file}.tsv").write_text("\n".join("\t".join(line) for line in [columns, *lines]))
    dataset = load(DataConfig(source=str(tmp_path)), "classes", seed=0)
    assert dataset.columns.text == text
    assert dataset.metric == metric
    assert dataset.classes == ["n", "y"]
    first = dataset.validation.texts[0]
    assert first == tuple(f'{"dev_matched" if of_mnli else "dev"} "{name}" 0' for name in text)
    if of_mnli:
        assert dataset.test.texts[0][0].startswith("dev_mismatched")
        assert len(dataset.train) == 30


@pytest.mark.parametrize(
    ("task", "file_names"),
    [
        ("RTE", {"sentence1": "sentence1", "sentence2": "sentence2", "label": "label"}),
        ("MRPC", {"sentence1": "#1 String", "sentence2": "#2 String", "label": "Quality"}),
        ("STS-B", {"sentence1": "sentence1", "sentence2": "sentence2", "label": "score"}),
        ("SST-2", {"sentence": "sentence", "label": "label"}),
        ("CoLA", {"sentence": "3", "label": "1"}),
    ],
)
def test_cells_are_those_that_pandas_reads_without_quoting(
    shared_data: Path, task: str, file_names: dict[str, str]
) -> None:
    folder = shared_data / "glue" / task
    for split, file in {"train": "train.tsv", "validation": "dev.tsv"}.items():
        frame = pandas.read_csv(
            folder / file,
            sep="\t",
            quoting=csv.QUOTE_NONE,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            header=None if task == "CoLA" else 0,
        )
        frame.columns = frame.columns.map(str)
        rows = open_source(str(folder), "data.source").read(split)
        for hub_name, file_name in file_names.items():
            assert rows.columns[hub_name] == frame[file_name].tolist()


def test_quotes_are_part_of_the_text(shared_data: Path) -> None:
    rows = open_source(str(shared_data / "glue" / "MRPC"), "data.source").read("train")
    assert rows.columns["sentence1"][0].startswith('Amrozi accused his brother , whom he called " the witness " ,')


def test_the_names_of_the_file_work_as_those_of_the_hub_do(shared_data: Path) -> None:
    source = str(shared_data / "glue" / "MRPC")
    file = load(DataConfig(source=source, text=["#1 String", "#2 String"], label="Quality"), "classes", seed=0)
    hub = load(DataConfig(source=source, text=["sentence1", "sentence2"], label="label"), "classes", seed=0)
    assert file.fingerprint == hub.fingerprint


def test_one_of_two_texts_can_be_chosen(shared_data: Path) -> None:
    dataset = load(DataConfig(source=str(shared_data / "glue" / "RTE"), text=["sentence2"]), "classes", seed=0)
    assert {len(texts) for texts in dataset.train.texts} == {1}


def test_row_numbers_are_lines_of_the_file(shared_data: Path) -> None:
    folder = shared_data / "glue" / "STS-B"
    rows = open_source(str(folder), "data.source").read("validation")
    lines = (folder / "dev.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[rows.numbers[700] - 1].split("\t")[7] == rows.columns["sentence1"][700]


def test_classes_of_cola_are_0_and_1(shared_data: Path) -> None:
    dataset = load(DataConfig(source=str(shared_data / "glue" / "CoLA")), "classes", seed=0)
    assert dataset.classes == ["0", "1"]
    lines = (shared_data / "glue" / "CoLA" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    assert Counter(dataset.validation.labels or []) == Counter(line.split("\t")[1] for line in lines)


@pytest.mark.parametrize(
    ("task", "asked", "mend"),
    [("STS-B", "classes", "are numbers; set task: regression"), ("CoLA", "numbers", "are classes; set task: class")],
)
def test_the_wrong_task_for_a_benchmark_is_refused(shared_data: Path, task: str, asked: str, mend: str) -> None:
    with pytest.raises(UserError, match=f"task: the labels of .*{task} {mend}"):
        load(DataConfig(source=str(shared_data / "glue" / task)), asked, seed=0)


def test_another_column_of_a_benchmark_is_not_judged_by_its_metric(shared_data: Path) -> None:
    config = DataConfig(source=str(shared_data / "glue" / "STS-B"), label="genre", splits=Splits(validation=None))
    dataset = load(config, "classes", seed=0)
    assert dataset.classes == ["main-captions", "main-forum", "main-news"]
    assert dataset.metric is None


def test_a_line_with_a_cell_too_many_is_named(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("sentence\tlabel\ngood\t1\nbad\t0\tx\n")
    (tmp_path / "dev.tsv").write_text("sentence\tlabel\ngood\t1\n")
    with pytest.raises(UserError, match=r"train\.tsv line 3: has 3 cells where the header has 2"):
        load(DataConfig(source=str(tmp_path)), "classes", seed=0)


def test_files_of_the_same_name_with_another_header_are_an_ordinary_folder(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text('text\tlabel\n"said ""yes"""\t1\n')
    (tmp_path / "dev.tsv").write_text("text\tlabel\nno\t0\n")
    source = open_source(str(tmp_path), "data.source")
    assert type(source) is Folder
    assert source.splits == ["dev", "train"]
    assert source.read("train").columns["text"] == ['said "yes"']


def test_scitail_has_no_header_and_three_splits_and_boolq_is_a_folder_of_json_lines(tmp_path: Path) -> None:
    """As both are distributed: SciTail in `tsv_format`, BoolQ with true and false for labels."""
    scitail, boolq = tmp_path / "scitail", tmp_path / "boolq"
    scitail.mkdir()
    boolq.mkdir()
    for split in ("train", "dev", "test"):
        lines = [
            f'Plants "{row}" need light.\tLight {row} is needed.\t{("entails", "neutral")[row % 2]}'
            for row in range(40)
        ]
        (scitail / f"scitail_1.0_{split}.tsv").write_text("\n".join(lines) + "\n")
    for split in ("train", "dev"):
        rows = [
            {"question": f"is {row} even", "title": "Numbers", "answer": row % 2 == 0, "passage": f"{row} is a number."}
            for row in range(40)
        ]
        (boolq / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = load(DataConfig(source=str(scitail)), "classes", seed=0)
    assert dataset.columns.text == ["premise", "hypothesis"]
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [40, 40, 40]
    assert dataset.train.texts[0] == ('Plants "0" need light.', "Light 0 is needed.")
    assert dataset.classes == ["entails", "neutral"]
    config = DataConfig(source=str(boolq), text=["question", "passage"], label="answer")
    dataset = load(config, "classes", seed=0)
    assert dataset.classes == ["false", "true"]
    assert len(dataset.validation) == 40
