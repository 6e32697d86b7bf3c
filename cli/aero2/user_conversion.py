"""`aero2 users convert`: makes the export of another system a file for `aero2 users import`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.console import Console

from aero2.command_groups import new_group
from aero2.converters import auth0, clerk, cognito, firebase, keycloak, supabase
from aero2.converters.findings import LEFT_OUT, TAKEN_WITHOUT, Converted
from aero2.failures import report_failures

if TYPE_CHECKING:
    from aero2.converters.conversion import Report

app = new_group("Make an export of another system a file for `aero2 users import`.")
console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)

Files = Annotated[
    list[Path], typer.Argument(exists=True, dir_okay=False, help="Files of the export; also .gz.")
]
Out = Annotated[
    Path, typer.Option("--out", "-o", help="The result; its report is OUT.report.ndjson.")
]
RESULT = Path("users.ndjson")
Users: TypeAlias = Callable[[], Iterator[Converted]]


@app.command("auth0")
def from_auth0(
    files: Files,
    hashes: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The password hashes that Auth0's support sends."
        ),
    ] = None,
    out: Out = RESULT,
) -> None:
    """A user export of Auth0 (NDJSON or CSV)."""
    _convert("auth0", lambda: auth0.convert(files, hashes), out)


@app.command("clerk")
def from_clerk(files: Files, out: Out = RESULT) -> None:
    """The CSV file of Clerk's dashboard, or JSON of its API."""
    _convert("clerk", lambda: clerk.convert(files), out)


@app.command("keycloak")
def from_keycloak(files: Files, out: Out = RESULT) -> None:
    """A realm export of Keycloak with its users: one file, or several."""
    _convert("keycloak", lambda: keycloak.convert(files), out)


@app.command("supabase")
def from_supabase(files: Files, out: Out = RESULT) -> None:
    """The table auth.users of Supabase (CSV or JSON)."""
    _convert("supabase", lambda: supabase.convert(files), out)


@app.command("firebase")
def from_firebase(
    files: Files,
    hash_config: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The block hash_config that the console shows."
        ),
    ] = None,
    out: Out = RESULT,
) -> None:
    """A JSON export of Firebase Authentication."""

    def users() -> Iterator[Converted]:
        parameters = None if hash_config is None else firebase.read_parameters(hash_config)
        return firebase.convert(files, parameters)

    _convert("firebase", users, out)


@app.command("cognito")
def from_cognito(files: Files, out: Out = RESULT) -> None:
    """`aws cognito-idp list-users`. Cognito gives no password hashes: its users choose a password by mail."""
    _convert("cognito", lambda: cognito.convert(files), out)


def _convert(system: str, users: Users, out: Path) -> None:
    from aero2.converters import conversion  # checks of hashes are not imported for every help

    with report_failures():
        report = conversion.convert(system, users, out)
    console.print(f"{report.read:,} users read, {report.written:,} written to {out}")
    _show("Left out:", LEFT_OUT, report)
    _show("Taken, but:", TAKEN_WITHOUT, report)
    if report.findings:
        console.print(f"Who they are: {conversion.report_file(out)}")
    if report.written < report.read:
        raise typer.Exit(2)


def _show(title: str, sentences: dict[str, str], report: Report) -> None:
    counted = {code: report.findings[code] for code in sentences if report.findings[code]}
    if counted:
        console.print(title)
    for code, count in counted.items():
        console.print(f"{count:>9,} {sentences[code]}")
