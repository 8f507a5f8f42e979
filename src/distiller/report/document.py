"""A page: one file that needs nothing else, with everything escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from distiller.files import write_text


def write_document(path: Path, template: str, **content: Any) -> None:
    """Write what `template` makes of `content`, atomically."""
    environment = Environment(
        loader=PackageLoader("distiller.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    write_text(path, environment.get_template(template).render(content))
