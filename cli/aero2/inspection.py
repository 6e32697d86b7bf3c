"""The commands that look at a running deployment: `status`, `top` and `doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aero2 import doctor_command

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: the Dashboard at AERO2_URL with "
        "its key AERO2_SECRET_KEY, else .aero2."
    ),
]
UpDataDir = Annotated[
    Path | None, typer.Option(help="Data folder of a running `aero2 up`. Default: .aero2.")
]
Listeners = Annotated[
    list[str] | None,
    typer.Option(
        help="Address of a listener for Prometheus, like http://gateway:9464. Repeat it for each "
        "process. Without it: that of the data folder."
    ),
]
Interval = Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two readings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def status(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show what runs: processes, queues, the stream and the database.

    Exits with 0 if people can sign in and audit events reach the stream, otherwise with 1.
    """
    from rich.console import Console

    from aero2.cluster_report import clusters_of
    from aero2.deployment import open_deployment
    from aero2.failures import report_failures
    from aero2.status import status_of
    from aero2.status_screen import show

    with report_failures():
        deployment = open_deployment(data_dir)
        report = status_of(deployment, clusters_of(deployment))
        if as_json:
            import json

            typer.echo(json.dumps(report.as_json(), indent=2))
        else:
            show(report, Console(highlight=False))
        if not report.healthy:
            raise typer.Exit(1)


def top(
    data_dir: UpDataDir = None,
    metrics: Listeners = None,
    *,
    sort: Annotated[str, typer.Option(help="rate, mean, p95, errors or name.")] = "rate",
    interval: Interval = 2.0,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Routes and contracts at most, each.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one table and end.")] = False,
) -> None:
    """Show routes and contracts with their rate and times, processes and queues, until `q`.

    Sends AERO2_METRICS_TOKEN if it is set. Without a terminal it prints one table.

    Example: aero2 top --sort p95
    """
    from contextlib import suppress
    from functools import partial

    from aero2.failures import report_failures
    from aero2.metrics_snapshot import listeners, take
    from aero2.top_screen import TopScreen, check_sort, new_console

    with report_failures(), suppress(KeyboardInterrupt):
        check_sort(sort)
        read = partial(take, listeners(data_dir, metrics or []))
        TopScreen(read, new_console(), interval, sort, rows).show(once=once)


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("status")(status)
    app.command("top")(top)
    app.add_typer(doctor_command.app, name="doctor")
