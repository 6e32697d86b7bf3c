"""The `aero2` command."""

import asyncio
import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from aero2 import migrate
from common.addresses import host_key

GROUPS = ("apps", "audit", "clients", "keys", "secrets", "users")
"""Modules of aero2 with an `app` of commands, imported when one of them is asked for: what they
need would cost every `aero2 up` half a second."""


class Lazily(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in GROUPS:
            return super().get_command(ctx, cmd_name)
        group = get_command(import_module(f"aero2.{cmd_name}").app)
        group.name = cmd_name
        return group


app = typer.Typer(
    cls=Lazily, no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False
)


@app.callback()
def main() -> None:
    """Aero2: sign-in for many applications from one deployment."""


@app.command("up")
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the platform.")] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Where data, secrets and logs lie.")] = Path(
        ".aero2"
    ),
    domain: Annotated[
        str, typer.Option(help="Apex; applications answer on <slug>.<domain>.")
    ] = "localhost",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    summary_file: Annotated[
        Path | None, typer.Option(help="Also write the summary here, as JSON.")
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve https, with an authority of our own.")
    ] = False,
    start_limit: Annotated[
        float,
        typer.Option(
            min=1, help="Seconds without progress after which the start of a process fails."
        ),
    ] = 60,
) -> None:
    """Run the whole platform here, on embedded PostgreSQL and NATS, until Ctrl-C."""
    from aero2.up import Options
    from aero2.up import up as run

    run(Options(port, host, data_dir, host_key(domain), summary_file, tls, start_limit))


app.command("migrate")(migrate.command)


DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: AERO2_NATS_URL and "
        "AERO2_NATS_PASSWORD, else .aero2."
    ),
]


@app.command("owner-link")
def owner_link(data_dir: DataDir = None) -> None:
    """Print a fresh one-time link that makes whoever opens it the operator."""
    from aero2.connection import from_environment
    from aero2.failures import told
    from aero2.owner import owner_link as made

    async def run() -> str:
        async with from_environment(data_dir) as bus:
            return await made(bus)

    with told():
        typer.echo(asyncio.run(run()))


@app.command("demo")
def demo(data_dir: DataDir = None) -> None:
    """Make the demo application of a running deployment; print its keys and secrets as JSON."""
    from aero2.connection import from_environment
    from aero2.demo import ensure
    from aero2.failures import told

    async def run() -> str:
        async with from_environment(data_dir) as bus:
            return json.dumps(asdict(await ensure(bus, {}, lambda _: None)), indent=2)

    with told():
        typer.echo(asyncio.run(run()))


@app.command("invite")
def invite(
    slug: Annotated[str, typer.Argument(help="The application, by its slug.")],
    email: Annotated[str, typer.Argument(help="Whom to invite.")],
    data_dir: DataDir = None,
) -> None:
    """Mail somebody an invitation into an application (`dashboard`: to manage applications)."""
    from aero2.api import call
    from aero2.dashboard import at, dashboard
    from aero2.failures import told

    with told(), dashboard(data_dir) as api:
        call(api, "POST", at(slug, "users/invitations"), json={"email": email})
    typer.echo(f"Invited {email}.")


@app.command("compose-env")
def compose_env(
    file: Annotated[Path, typer.Option(help="Where to write.")] = Path(".env"),
    public_url: Annotated[
        str, typer.Option(help="The origin people will use, like https://id.example.com.")
    ] = "http://localhost:8080",
    force: Annotated[bool, typer.Option(help="Replace the file, and so every secret.")] = False,
) -> None:
    """Write fresh secrets for docker-compose.yml to .env."""
    from aero2.compose_env import write
    from aero2.failures import told

    with told():
        write(file, public_url, force=force)
    typer.echo(f"Wrote {file}. Next: docker compose up --build --wait")


@app.command("nats-conf", hidden=True)
def nats_conf(file: Annotated[Path, typer.Argument()] = Path("deploy/nats.conf")) -> None:
    """Write deploy/nats.conf: what each service may say on the bus."""
    from aero2.nats_access import compose_configuration

    file.write_text(compose_configuration())


if __name__ == "__main__":
    app()
