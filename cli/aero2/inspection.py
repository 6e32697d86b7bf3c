"""The commands that look at a running deployment: `status`, `top` and `doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: the Dashboard at AERO2_URL with "
        "its key AERO2_SECRET_KEY, else .aero2."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def status(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show what runs: processes, queues, the stream and the database.

    Exits with 0 if people can sign in and audit events reach the stream, otherwise with 1.
    """
    from rich.console import Console

    from aero2.deployment import open_deployment
    from aero2.failures import report_failures
    from aero2.status import status_of
    from aero2.status_screen import show

    with report_failures():
        report = status_of(open_deployment(data_dir))
        if as_json:
            import json

            typer.echo(json.dumps(report.as_json(), indent=2))
        else:
            show(report, Console(highlight=False))
        if not report.healthy:
            raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("status")(status)
