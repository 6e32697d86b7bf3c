"""`aero2 clients exchange`: what a client may exchange (RFC 8693, RFC 7523)."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from aero2.api import call
from aero2.command_groups import new_group
from aero2.dashboard import DataDir, at, dashboard
from aero2.failures import report_failures

app = new_group("What a client may exchange: tokens of clients, assertions of identity providers.")

Slug = Annotated[str, typer.Argument(help="The application, by its slug.")]
ClientId = Annotated[str, typer.Argument(help="The client that exchanges, by its client_id.")]


@app.callback()
def main() -> None:
    """Exchange policies: whose tokens a client may exchange, and for what."""


def _path(slug: str, client: str) -> str:
    return at(slug, f"clients/{quote(client, safe='')}/exchange-policies")


@app.command("list")
def list_(slug: Slug, client: ClientId, data_dir: DataDir = None) -> None:
    """Print the client's policies as JSON."""
    with report_failures(), dashboard(data_dir) as api:
        listed = call(api, "GET", _path(slug, client))
    typer.echo(json.dumps(listed["policies"], indent=2))


@app.command("allow")
def allow(
    slug: Slug,
    client: ClientId,
    *,
    tokens_of: Annotated[
        str | None, typer.Option(help="The client whose users' tokens are exchanged.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="The identity provider whose assertions are exchanged.")
    ] = None,
    resource: Annotated[
        list[str] | None, typer.Option(help="An API that new tokens may be for; may be repeated.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="A scope that new tokens may have; may be repeated.")
    ] = None,
    audience: Annotated[
        str | None,
        typer.Option(
            help="Issuer of another server, for which the client gets assertions (ID-JAG)."
        ),
    ] = None,
    audience_client_id: Annotated[
        str | None, typer.Option(help="The client_id of the client at that server.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Let a client exchange tokens; print the policy as JSON.

    The client also needs the grant type, and the application the setting `token_exchange` or `jwt_bearer`."""
    fields: dict[str, Any] = {
        "subject_client": tokens_of,
        "provider": provider,
        "resources": resource or [],
        "scopes": scope or [],
        "audience": audience,
        "audience_client_id": audience_client_id,
    }
    with report_failures(), dashboard(data_dir) as api:
        policy = call(api, "POST", _path(slug, client), json=fields)
    typer.echo(json.dumps(policy, indent=2))


@app.command("forbid")
def forbid(
    slug: Slug,
    client: ClientId,
    policy: Annotated[str, typer.Argument(help="The policy, by its id.")],
    data_dir: DataDir = None,
) -> None:
    """Delete a policy. The client gets no more tokens by it."""
    with report_failures(), dashboard(data_dir) as api:
        call(api, "DELETE", f"{_path(slug, client)}/{quote(policy, safe='')}")
