"""`aero2 apps`: the applications of a deployment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from aero2 import app_transfer_commands, localhost_names
from aero2.api import call
from aero2.command_groups import new_group
from aero2.dashboard import DataDir, dashboard
from aero2.failures import CommandError, report_failures

app = new_group("Applications.")
app_transfer_commands.add_to(app)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The name that users see, like Shop.")],
    *,
    slug: Annotated[
        str | None, typer.Option(help="First label of its host; generated where left out.")
    ] = None,
    team: Annotated[
        str | None,
        typer.Option(
            help="Id or slug of the team that owns it; may be left out where there is one."
        ),
    ] = None,
    home: Annotated[
        str | None,
        typer.Option(help="Database cluster for its rows; by default that of new applications."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Create an application; print it with its first two API keys, shown this once, as JSON."""
    with report_failures(), dashboard(data_dir) as api:
        owner = _team(api, team)
        fields = {
            "name": name,
            "slug": slug,
            "owner_org_id": owner["id"] if owner else None,
            "home": home,
        }
        sent = {field: value for field, value in fields.items() if value is not None}
        new = call(api, "POST", "/api/applications", json=sent)
    typer.echo(json.dumps(new, indent=2))
    if names := localhost_names.unresolved_names([new["host"]]):
        help = localhost_names.HELP.format(names=names[0])
        typer.echo(f"{help}\n{localhost_names.hosts_file_command(names)}", err=True)


@app.command("move")
def move(
    slug: Annotated[str, typer.Argument(help="The application.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="CLUSTER", help="Its new database cluster.")],
    abort: Annotated[
        bool, typer.Option("--abort", help="Undo a move that was begun and is not complete.")
    ] = False,
    busy_at_most: Annotated[
        float,
        typer.Option(help="Seconds that it may answer 503 at the end; else it stays where it is."),
    ] = 30.0,
) -> None:
    """Move an application to another database cluster while it is used.

    Needs AERO2_OWNER_DATABASE_URL, and AERO2_OWNER_DATABASE_URL_<NAME> of each other cluster. Run it again if
    it was interrupted: it goes on.
    """
    from aero2.moves import command

    def report(line: str) -> None:
        Console().print(f"  {line}", highlight=False, markup=False, soft_wrap=True)

    with report_failures():
        asyncio.run(command.run(slug, to, abort=abort, busy=busy_at_most, report=report))
    typer.echo(f"{slug} stays where it was." if abort else f"{slug} lives in {to}.")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List the applications, oldest first."""
    with report_failures(), dashboard(data_dir) as api:
        applications = list(_pages(api, "applications"))
    if as_json:
        for each in applications:
            typer.echo(json.dumps(each))
        return
    table = Table("slug", "name", "address", "state", "home")
    for each in applications:
        table.add_row(each["slug"], each["name"], each["url"], each["state"], each["home"])
    Console().print(table)


def _team(api: httpx.Client, team_name: str | None) -> dict[str, Any] | None:
    """The team that is meant; None where there is none yet. Raises CommandError where it is unclear."""
    teams = list(_pages(api, "organizations"))
    if team_name is None and len(teams) <= 1:
        return teams[0] if teams else None
    for team in teams:
        if team_name in (team["id"], team["slug"]):
            return team
    known = ", ".join(team["slug"] for team in teams[:20]) or "none yet"
    raise CommandError(
        f"Which team owns it? Name it with --team. Teams: {known}."
        if team_name is None
        else f"There is no team {team_name}. Teams: {known}."
    )


def _pages(api: httpx.Client, noun: str) -> Iterator[dict[str, Any]]:
    query = {"limit": "100"}
    while True:
        page = call(api, "GET", f"/api/{noun}", params=query)
        yield from page[noun]
        if page.get("next") is None:
            return
        query["cursor"] = page["next"]
