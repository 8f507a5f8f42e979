"""`distiller doctor`."""

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Also write DIR/doctor.json.")] = None,
) -> None:
    """What this machine has: packages, cores, memory, bfloat16, GPU, hub, cache."""
    from rich.console import Console
    from rich.table import Table

    from distiller import machine
    from distiller.files import check_folder, write_json

    if out is not None:
        check_folder(out)
    findings = machine.examine()
    table = Table(show_header=False)
    for name, finding in findings.items():
        table.add_row(name, str(finding))
    Console().print(table)
    if out is not None:
        write_json(out / "doctor.json", findings)
