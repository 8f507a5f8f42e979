"""The model card: README.md as the Hugging Face hub reads it."""

import html
import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from distiller.assets import ASSETS
from distiller.export.exported import FLOAT, INT8, ORIGINAL, Exported
from distiller.export.figures import figures
from distiller.files import write_text
from distiller.models import describe
from distiller.runs import RunRecord
from distiller.version import __version__

CARD = "README.md"
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
MARKDOWN = re.compile(r"([\\`*_\[\]|#])")
HUB_TASKS = {
    "classification": "text-classification",
    "multi-label-classification": "text-classification",
    "regression": "text-classification",
    "token-classification": "token-classification",
    "question-answering": "question-answering",
}


def write_card(folder: Path, exported: Exported) -> None:
    """Write README.md: metadata as YAML, and below it what the model is, how it is used and what it is worth."""
    environment = Environment(
        loader=PackageLoader("distiller.export", "."),
        autoescape=False,  # noqa: S701 - it is Markdown, and `_plain` escapes all that is put in
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    body = environment.get_template("card.md.jinja").render(_content(exported))
    write_text(folder / CARD, f"---\n{_metadata(exported).to_yaml()}\n---\n\n{body}")


def _plain(content: Any) -> Any:
    """Text that Markdown and HTML show as it is, in one line."""
    if not isinstance(content, str):
        return content
    return MARKDOWN.sub(r"\\\1", html.escape(" ".join(content.splitlines()), quote=False))


def _content(exported: Exported) -> dict[str, Any]:
    subject, examinee = exported.subject, exported.subject.examinee
    record = subject.record
    return {
        "title": _title(exported),
        "version": __version__,
        "teacher": record.teacher.get("model") if record is not None else None,
        "model": describe(examinee.model),
        "max_length": examinee.reader.max_length,
        "labels": examinee.classes,
        "kind": examinee.task.label_kind,
        "pairs": subject.dataset is not None and subject.columns == 2,
        "file": INT8 if INT8 in exported.forms else FLOAT,
        "figures": figures(exported),
        "sentences": exported.sentences,
        "threads": exported.forms[ORIGINAL].latency["threads"],
        "data": record.data if record is not None else None,
        **_scores(record),
    }


def _title(exported: Exported) -> str:
    examinee, dataset = exported.subject.examinee, exported.subject.dataset
    of_data = f" of {dataset.name}" if dataset is not None else ""
    return f"{examinee.model.config.model_type} for {examinee.task.name}{of_data}"


def _scores(record: RunRecord | None) -> dict[str, Any]:
    """Of both models on the test split, as the run found them."""
    if record is None:
        return {}
    metrics = record.metrics
    primary = metrics["primary"]
    return {"metric": primary, "score": metrics["score"], "teacher_score": metrics["teacher"]["test"][primary]}


def _metadata(exported: Exported) -> ModelCardData:
    subject, examinee = exported.subject, exported.subject.examinee
    base = _base(subject.record)
    asset = next((asset for asset in ASSETS if f"asset:{asset.name}" == base), None)
    hub_id = base if asset is None else asset.hub_id
    return ModelCardData(
        base_model=hub_id if hub_id is not None and HUB_ID.fullmatch(hub_id) and not Path(hub_id).exists() else None,
        license=None if asset is None else asset.licence,
        library_name="onnx",
        pipeline_tag=HUB_TASKS[examinee.task.name],
        tags=["onnx", "onnxruntime", *(["distillation"] if subject.record is not None else [])],
        model_name=_title(exported),
        metrics=None if subject.metric is None else [subject.metric],
        eval_results=_results(exported),
    )


def _base(record: RunRecord | None) -> str | None:
    """The model whose weights a student began with; None if nobody knows, or they were drawn."""
    if record is None:
        return None
    student, teacher = record.pipeline["student"], record.pipeline["teacher"]
    if student["init"] == "random":
        return None
    base: str = student["model"] or teacher["model"]
    return base


def _results(exported: Exported) -> list[EvalResult] | None:
    """What the file that predict.py uses scores on the test split."""
    subject = exported.subject
    scores = exported.forms[INT8 if INT8 in exported.forms else FLOAT].scores
    if scores is None or subject.dataset is None:
        return None
    return [
        EvalResult(
            task_type=HUB_TASKS[subject.examinee.task.name],
            dataset_type=subject.dataset.name,
            dataset_name=subject.dataset.name,
            dataset_split="test",
            metric_type=name,
            metric_value=round(score, 4),
        )
        for name, score in scores.items()
    ]
