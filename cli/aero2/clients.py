"""`aero2 clients`: the OAuth clients of an application, and tokens with which clients register themselves."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

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


@app.command("list")
def list_(
    slug: Annotated[str, typer.Argument(help="The application, by its slug.")],
    source: Annotated[
        Literal["developer", "registered", "document"] | None,
        typer.Option(help="Only clients that were registered so."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List the clients, who registered each, and when it was last used."""
    clients: list[dict[str, Any]] = []
    with report_failures(), dashboard(data_dir) as api:
        cursor: str | None = None
        while True:
            wanted = {"limit": 100, "cursor": cursor, "source": source}
            params = {name: value for name, value in wanted.items() if value is not None}
            page = call(api, "GET", at(slug, "clients"), params=params)
            clients += page["clients"]
            cursor = page.get("next")
            if cursor is None:
                break
    if as_json:
        typer.echo(json.dumps(clients, indent=2))
        return
    table = Table("client id", "name", "source", "created", "last used")
    for client in clients:
        used = client.get("last_used_at")
        name = escape(client["name"])
        created = client["created_at"][:10]
        table.add_row(client["client_id"], name, client["source"], created, (used or "never")[:10])
    Console().print(table)


@app.command("initial-token")
def initial_token(
    slug: Annotated[str, typer.Argument(help="The application, by its slug.")],
    name: Annotated[str, typer.Argument(help="Who it is for.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="Days until it expires.")] = 7,
    clients: Annotated[
        int | None, typer.Option(min=1, help="How many clients can be registered with it.")
    ] = None,
    *,
    data_dir: DataDir = None,
) -> None:
    """Create a token with which clients register themselves; print it, shown this once, as JSON."""
    body: dict[str, Any] = {"name": name, "expires_in": days * 86_400, "max_clients": clients}
    with report_failures(), dashboard(data_dir) as api:
        new = call(api, "POST", at(slug, "initial-access-tokens"), json=body)
    typer.echo(json.dumps(new, indent=2))
