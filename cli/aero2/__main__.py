"""The `aero2` command."""

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from aero2 import backup_commands, generators, inspection, process_commands, up_options
from aero2.command_groups import LazyGroup, new_group

app = new_group(cls=LazyGroup)


def _show_version(value: bool) -> None:
    if value:
        from common.version import VERSION

        typer.echo(f"aero2 {VERSION}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Aero2: sign-in for many applications from one deployment."""


@app.command("up")
def up(
    port: up_options.Port = 8080,
    data_dir: up_options.DataDir = Path(".aero2"),
    domain: up_options.Domain = "localhost",
    host: up_options.Host = "127.0.0.1",
    *,
    summary_file: up_options.SummaryFile = None,
    tls: up_options.Tls = False,
    start_limit: up_options.StartLimit = 60,
    reload: up_options.Reload = False,
    idp: up_options.Idp = None,
    together: up_options.Together = False,
    workers: up_options.Workers = 1,
    backup: up_options.Backup = True,
) -> None:
    """Run the whole platform here, on embedded PostgreSQL and NATS, until Ctrl-C."""
    from aero2.up import Options
    from aero2.up import up as run
    from common.address_keys import host_key

    idps = tuple(idp or ())
    apex = host_key(domain)
    given = Options(port, host, data_dir, apex, summary_file, tls, start_limit, reload, idps)
    run(replace(given, together=together, workers=workers, backup=backup))


@app.command("serve")
def serve(services: up_options.Services, *, workers: up_options.Workers = 1) -> None:
    """Run services in one process: they answer each other in memory.

    Example: aero2 serve gateway identity oidc rbac tenancy
    """
    from aero2.serve import serve as run

    run(services, workers)


process_commands.add_to(app)


@app.command("migrate")
def migrate(*, contract: up_options.Contract = False) -> None:
    """Make or update the database: AERO2_OWNER_DATABASE_URL, and AERO2_<ROLE>_PASSWORD for each
    of tenancy, identity, oidc, rbac, relay, sweep, mail, logout, upkeep and search."""
    from aero2.migrate_command import command

    command(contract=contract)


DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: AERO2_NATS_URL and "
        "AERO2_NATS_PASSWORD, else .aero2."
    ),
]


backup_commands.add_to(app)


@app.command("owner-link")
def owner_link(data_dir: DataDir = None) -> None:
    """Print a new one-time link that makes the user who opens it the operator."""
    from aero2.connection import from_environment
    from aero2.failures import report_failures
    from aero2.owner import owner_link as made

    async def run() -> str:
        async with from_environment(data_dir) as bus:
            return await made(bus)

    with report_failures():
        typer.echo(asyncio.run(run()))


@app.command("demo")
def demo_command(data_dir: DataDir = None) -> None:
    """Make the demo application of a running deployment; print its keys and secrets as JSON."""
    from aero2 import demo, demo_provider
    from aero2.connection import from_environment
    from aero2.failures import report_failures

    async def run() -> str:
        async with from_environment(data_dir) as bus:
            made = await demo.ensure(bus, {}, lambda _: None)
            await demo_provider.ensure(bus, made, await demo_provider.application(bus))
            return json.dumps(asdict(made), indent=2)

    with report_failures():
        typer.echo(asyncio.run(run()))


@app.command("invite")
def invite(
    slug: Annotated[str, typer.Argument(help="The application, by its slug.")],
    email: Annotated[str, typer.Argument(help="Address to invite.")],
    data_dir: DataDir = None,
) -> None:
    """Mail somebody an invitation into an application (`dashboard`: to manage applications)."""
    from aero2.api import call
    from aero2.dashboard import at, dashboard
    from aero2.failures import report_failures

    with report_failures(), dashboard(data_dir) as api:
        call(api, "POST", at(slug, "users/invitations"), json={"email": email})
    typer.echo(f"Invited {email}.")


@app.command("compose-env")
def compose_env(
    file: Annotated[Path, typer.Option(help="Where to write.")] = Path(".env"),
    public_url: Annotated[
        str, typer.Option(help="The origin people will use, like https://id.example.com.")
    ] = "http://localhost:8080",
    force: Annotated[bool, typer.Option(help="Replace the file and every secret.")] = False,
    move: Annotated[
        bool, typer.Option(help="Make files of the secrets that stand in the .env of version 0.1.")
    ] = False,
) -> None:
    """Write .env for docker-compose.yml, and fresh secrets as files into the folder `secrets` beside it."""
    from aero2 import compose_env
    from aero2.failures import report_failures

    with report_failures():
        if move:
            folder = compose_env.move(file)
        else:
            folder = compose_env.write(file, public_url, force=force)
    typer.echo(f"Wrote {file} and {folder}. Next: docker compose up --build --wait")


@app.command("logs")
def logs(
    service: Annotated[
        str | None, typer.Argument(help="One process, like gateway or postgres. Without it: all.")
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option(
            help="Only lines of this trace: the reference on an error page or of an audit event, or the "
            "traceparent that you have sent."
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Also show new lines, until Ctrl-C.")
    ] = False,
    *,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, help="How many lines, without --trace.")
    ] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as JSON.")] = False,
    data_dir: Annotated[Path, typer.Option(help="Data folder of `aero2 up`.")] = Path(".aero2"),
) -> None:
    """Show the logs of `aero2 up` in order of time.

    Example: aero2 logs gateway --follow

    Example: aero2 logs --trace 4ba94d6b8eaf052ccf1809c98d6b2053
    """
    from aero2.failures import report_failures
    from aero2.show_logs import Options, show_logs

    with report_failures(), suppress(KeyboardInterrupt):
        show_logs(Options(data_dir, service, trace, lines, follow, as_json), typer.echo)


@app.command("psql", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def psql(
    context: typer.Context,
    app_slug: Annotated[
        str | None,
        typer.Option("--app", help="See the rows of this application only, by its slug."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Database cluster by its name, like west: AERO2_OWNER_DATABASE_URL_WEST. `main` is "
            "AERO2_OWNER_DATABASE_URL."
        ),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Data folder of `aero2 up`.")] = Path(".aero2"),
) -> None:
    """Open psql on the database of a running `aero2 up`, or on a cluster. Other arguments go to psql.

    Example: aero2 psql --app demo -c "SELECT email FROM users"

    Example: aero2 psql --cluster west
    """
    from aero2.failures import report_failures
    from aero2.psql import open_psql

    with report_failures():
        open_psql(data_dir, app_slug, context.args, cluster)


@app.command("routes")
def routes(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print every route of the gateway: host, method, path, handler, and style of errors."""
    from aero2.routes import as_json as json_text
    from aero2.routes import as_table

    typer.echo(json_text() if as_json else as_table())


inspection.add_to(app)
generators.add_to(app)

if __name__ == "__main__":
    app()
