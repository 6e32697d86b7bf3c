"""The commands `aero2 doctor` and `aero2 doctor isolation`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aero2.command_groups import new_group

DoctorDataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: the variables of the services, such as "
        "AERO2_PUBLIC_URL, AERO2_OWNER_DATABASE_URL, AERO2_NATS_URL and AERO2_NATS_PASSWORD (of the "
        "user cli), AERO2_MASTER_KEY and AERO2_SMTP_URL, else .aero2."
    ),
]
DashboardDataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: the Dashboard at AERO2_URL with "
        "its key AERO2_SECRET_KEY, else .aero2."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = new_group("Look for the usual mistakes of a deployment.", invoke_without_command=True)
app.info.no_args_is_help = False


@app.callback()
def doctor(
    context: typer.Context,
    data_dir: DoctorDataDir = None,
    *,
    check: Annotated[
        list[str] | None, typer.Option(help="Run only this check. Repeat it for several.")
    ] = None,
    nats_config: Annotated[
        Path | None, typer.Option(help="Configuration of NATS, to look at its sync_interval.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for the usual mistakes of a deployment. Changes nothing.

    Exits with 1 if there is a failure, otherwise with 0.
    """
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from aero2.doctor import examine, worst
    from aero2.doctor_screen import print_findings
    from aero2.doctor_target import choose_target
    from aero2.failures import report_failures

    with report_failures():
        target = choose_target(data_dir, nats_config)
        findings = asyncio.run(examine(target, tuple(check or ())))
        print_findings(findings, as_json=as_json)
        if any(worst(findings)):
            raise typer.Exit(1)


@app.command("isolation")
def isolation(
    data_dir: DashboardDataDir = None,
    *,
    home: Annotated[
        list[str] | None,
        typer.Option(
            help="Database cluster of the first application, and if it is repeated of the second. By "
            "default that of new applications."
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=1, max=1000, help="Requests in a second, at most.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """Try every operation of the API with credentials of one application for things of another.

    Makes two applications, fills both, and removes them at the end, also after Ctrl-C. What an earlier run
    left is removed, too, so run it once at a time. It touches no other application and sends no mail.

    Exits with 1 if something crosses, with 2 if an operation could not be judged, otherwise with 0.
    """
    from aero2.failures import report_failures
    from aero2.isolation.run import examine, options
    from aero2.isolation.screen import Progress, print_report

    with report_failures():
        with Progress(quiet=as_json) as progress:
            report = examine(options(data_dir, home or [], rate), progress)
        print_report(report, as_json=as_json)
        if report.crossings:
            raise typer.Exit(1)
        if report.failed:
            raise typer.Exit(2)
