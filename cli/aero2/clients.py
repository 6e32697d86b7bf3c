"""`aero2 clients create`: an OAuth client of an application."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from aero2 import client_exchange
from aero2.api import call
from aero2.command_groups import new_group
from aero2.dashboard import DataDir, at, dashboard
from aero2.failures import report_failures

app = new_group("OAuth clients.")
app.add_typer(client_exchange.app, name="exchange")


@app.callback()
def main() -> None:
    """OAuth clients: the programs that sign the users of an application in."""


@app.command("create")
def create(
    slug: Annotated[str, typer.Argument(help="The application, by its slug.")],
    name: Annotated[
        str, typer.Argument(help="The name that users see when they are asked for consent.")
    ],
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Address that users come back to; may be repeated.")
    ] = None,
    post_logout_redirect_uri: Annotated[
        list[str] | None,
        typer.Option(help="Address that users go to after signing out; may be repeated."),
    ] = None,
    *,
    type_: Annotated[
        Literal["web", "spa", "native", "service"], typer.Option("--type", help="Kind of client.")
    ] = "web",
    third_party: Annotated[
        bool, typer.Option("--third-party", help="A client of somebody else: ask for consent.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Register a client; print it with its secret, shown this once, as JSON."""
    fields: dict[str, Any] = {
        "name": name,
        "type": type_,
        "redirect_uris": redirect_uri or [],
        "post_logout_redirect_uris": post_logout_redirect_uri or [],
        "first_party": not third_party,
    }
    with report_failures(), dashboard(data_dir) as api:
        new = call(api, "POST", at(slug, "clients"), json=fields)
    typer.echo(json.dumps(new, indent=2))
