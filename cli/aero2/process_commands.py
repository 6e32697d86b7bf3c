"""Commands for the processes of a running `aero2 up`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("restart")(restart)
    app.command("replica")(replica)


def restart(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="Services or processes. Without it: all, one after another."),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Data folder of `aero2 up`.")] = Path(".aero2"),
) -> None:
    """Replace processes of a running `aero2 up`, without a request that fails.

    Example: aero2 restart identity
    """
    from aero2.control_client import command
    from aero2.failures import report_failures

    with report_failures():
        command(data_dir, typer.echo, command="restart", names=services or [])


def replica(
    service: Annotated[str, typer.Argument(help="gateway, identity, oidc, rbac or tenancy.")],
    data_dir: Annotated[Path, typer.Option(help="Data folder of `aero2 up`.")] = Path(".aero2"),
) -> None:
    """Run a further process of a service beside a running `aero2 up`, until Ctrl-C.

    Example: aero2 replica identity
    """
    from aero2.control_client import command
    from aero2.failures import report_failures

    with report_failures():
        command(data_dir, typer.echo, command="replica", names=[service])
