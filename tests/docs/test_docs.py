"""What the documents show is what works: pipelines validate, Python runs, commands and links exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer.testing
import yaml

from conftest import REPOSITORY
from distiller import Pipeline, SearchConfig
from distiller.cli.main import app
from distiller.runs import TableMapping
from distiller.schema import validated
from distiller.search.space import read_space

DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
GROUPS = {group.name for group in app.registered_groups}
EXAMPLES = sorted((REPOSITORY / "examples").rglob("*.yaml"))


def _blocks(language: str) -> list[tuple[str, str]]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(document.name, block) for document in DOCUMENTS for block in pattern.findall(document.read_text())]


@pytest.mark.parametrize(("document", "block"), _blocks("yaml"))
def test_pipelines_searches_and_mappings_in_documents_are_valid(document: str, block: str) -> None:
    content = yaml.safe_load(block)
    if "columns" in content:
        validated(TableMapping, content, document)
        return
    if "space" not in content:
        Pipeline.from_text(block, document)
        return
    read_space(content["space"], document)
    if "base" in content:
        validated(SearchConfig, content, document)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_examples_are_valid(path: Path) -> None:
    if "\ncolumns:" in path.read_text():
        TableMapping.from_yaml(path)
        return
    if "space:" not in path.read_text():
        Pipeline.from_yaml(path)
        return
    search = SearchConfig.from_yaml(path)
    search.pipeline()
    search.read_space()


@pytest.mark.parametrize(("document", "block"), _blocks("python"))
def test_python_in_documents_runs(document: str, block: str) -> None:
    exec(compile(block, document, "exec"), {})


@pytest.mark.parametrize(("document", "block"), _blocks("console"))
def test_commands_in_documents_exist(document: str, block: str) -> None:
    for line in block.splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if not line.startswith("$ ") or words[0] != "distiller":
            continue
        command = words[1:3] if words[1] in GROUPS else words[1:2]
        shown = typer.testing.CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, f"{document}: no command {command}"
        options = [word.split("=")[0] for word in words if word.startswith("--")]
        assert all(option in shown.output for option in options), f"{document}: {line}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name}: {target}"
    for target in re.findall(r"`((?:docs|examples|benchmarks)/[\w./-]+\.\w+)`", document.read_text()):
        assert (REPOSITORY / target).exists(), f"{document.name}: {target}"
