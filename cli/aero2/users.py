"""`aero2 users import` and `export`: whole files of users, over the public API with a secret key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import httpx
import typer

from aero2.api import call, client
from aero2.command_groups import new_group
from aero2.failures import report_failures
from aero2.user_conversion import app as convert_app
from aero2.user_files import format_of, write_users
from aero2.user_import import console, errors_file, run_import

app = new_group("Users in bulk.")
app.add_typer(convert_app, name="convert")

Url = Annotated[
    str,
    typer.Option(
        envvar="AERO2_URL", help="Origin of the application, like http://demo.localhost:8080."
    ),
]
Key = Annotated[
    str,
    typer.Option(
        envvar="AERO2_SECRET_KEY", help="Its secret key, sk_live_…; better by AERO2_SECRET_KEY."
    ),
]
Format = Annotated[Literal["auto", "ndjson", "csv"], typer.Option(help="By the file's name.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="NDJSON or CSV.")],
    url: Url,
    key: Key,
    format: Format = "auto",
    *,
    dry_run: Annotated[bool, typer.Option(help="Check every line; keep nothing.")] = False,
    restart: Annotated[
        bool, typer.Option(help="From the first line, not where it stopped.")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="No progress bar.")] = False,
) -> None:
    """Make users from a file, in any of the formats of docs/users.md.

    Stopped, it goes on where it was. Lines that are refused are listed in FILE.errors.ndjson, by
    number and reason; the others are made. Exit code 2 where some were refused.
    """
    with report_failures():
        tally = run_import(file, url, key, format, dry_run=dry_run, restart=restart, quiet=quiet)
    console.print(("Checked " if dry_run else "Imported ") + tally.sentence)
    if tally.invalid:
        console.print(f"Refused lines: {errors_file(file)}", style="yellow")
        raise typer.Exit(2)


@app.command("export")
def export(
    url: Url,
    key: Key,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File; else standard output.")
    ] = None,
    format: Format = "auto",
    *,
    password_hashes: Annotated[
        bool, typer.Option(help="With the hashes: keep the file safe.")
    ] = False,
) -> None:
    """Write every user of the application, as an import takes them."""
    with report_failures(), ExitStack() as stack:
        api = stack.enter_context(client(url, key))
        if out is None:
            sink: IO[str] = typer.get_text_stream("stdout")
        else:
            number = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            sink = stack.enter_context(os.fdopen(number, "w", encoding="utf-8", newline=""))
        kind = format_of(out, format) if out else format.replace("auto", "ndjson")
        count = write_users(sink, kind, _exported(api, password_hashes))
    console.print(f"{count:,} users exported")


def _exported(api: httpx.Client, hashes: bool) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        asked = {"limit": "100", "password_hashes": str(hashes).lower()}
        if cursor:
            asked["cursor"] = cursor
        page = call(api, "GET", "/api/users/export", params=asked)
        yield from page["users"]
        cursor = page.get("next")
        if cursor is None:
            return
