"""The commands `aero2 apps transfer-key`, `export`, `import` and `open`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aero2.failures import report_failures

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of `aero2 up`, running or stopped. Without it: AERO2_OWNER_DATABASE_URL, "
        "else .aero2."
    ),
]
Slug = Annotated[str, typer.Argument(help="The application's slug.")]
To = Annotated[
    str,
    typer.Option(
        "--to",
        help="The key of the deployment that the application goes to: its `aero2 apps transfer-key`.",
    ),
]
Final = Annotated[
    bool,
    typer.Option(
        "--final",
        help="Close the application first: from then on it answers 503 here, and nothing is lost.",
    ),
]
NewSlug = Annotated[
    str | None, typer.Option("--slug", help="Another slug than the application had.")
]
Team = Annotated[
    str | None,
    typer.Option(
        help="Id or slug of the team that owns it; may be left out where there is one.",
    ),
]
AcceptDomains = Annotated[
    bool, typer.Option("--accept-domains", help="Take the domains of the file for proven.")
]
AcceptAuditFaults = Annotated[
    bool,
    typer.Option("--accept-audit-faults", help="Import although the audit log is not intact."),
]
Restarted = Annotated[
    bool,
    typer.Option(
        "--restarted", help="Every service was restarted after the import, though nothing shows it."
    ),
]


def transfer_key(data_dir: DataDir = None) -> None:
    """Print this deployment's key for `aero2 apps export --to`. It is public."""
    from aero2.transfers import commands

    with report_failures():
        typer.echo(commands.transfer_key(data_dir))


def export(
    slug: Slug,
    file: Annotated[Path, typer.Argument(help="The file to make.")],
    *,
    to: To,
    final: Final = False,
    data_dir: DataDir = None,
) -> None:
    """Write an application, with its users, secrets and log, into a file that only another deployment can
    open, while Aero2 runs or not.

    Example: aero2 apps export shop shop.aero2 --to aero2-transfer-1.k1… --final
    """
    from aero2.transfers import commands

    with report_failures():
        commands.export(slug, file, to=to, final=final, data_dir=data_dir)


def import_(
    file: Annotated[Path, typer.Argument(help="A file of `aero2 apps export`.")],
    *,
    slug: NewSlug = None,
    team: Team = None,
    accept_domains: AcceptDomains = False,
    accept_audit_faults: AcceptAuditFaults = False,
    data_dir: DataDir = None,
) -> None:
    """Import an application from another deployment: all of it, or nothing.

    Example: aero2 apps import shop.aero2 --team acme
    """
    from aero2.transfers import commands

    with report_failures():
        commands.import_(
            commands.ImportOptions(
                file,
                slug=slug,
                team=team,
                accept_domains=accept_domains,
                accept_audit_faults=accept_audit_faults,
                data_dir=data_dir,
            )
        )


def open_(slug: Slug, *, restarted: Restarted = False, data_dir: DataDir = None) -> None:
    """Open an application that was imported, or that was exported with --final and stays after all."""
    from aero2.transfers import commands

    with report_failures():
        commands.open_(slug, restarted=restarted, data_dir=data_dir)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the group of applications."""
    app.command("transfer-key")(transfer_key)
    app.command("export")(export)
    app.command("import")(import_)
    app.command("open")(open_)
