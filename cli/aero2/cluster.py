"""`aero2 cluster`: three NATS servers, their certificates and their state."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from aero2.cluster_config import HOSTS
from aero2.command_groups import new_group
from aero2.failures import CommandError, report_failures

app = new_group("A cluster of three NATS servers.")

Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        help="Host name or address of a server, once for each. Default: nats-1, nats-2, nats-3.",
    ),
]


@app.callback()
def main() -> None:
    """A cluster of three NATS servers."""


@app.command()
def certificates(
    folder: Annotated[
        Path, typer.Argument(help="Where to write. It keeps the key of the authority, so guard it.")
    ],
    host: Hosts = None,
) -> None:
    """Write a certificate for each server: <folder>/<host>/ is what that server gets.

    The authority is made once. Run it again to renew the certificates, and reload the servers.
    """
    from aero2.cluster_certificates import write

    hosts = tuple(host or HOSTS)
    with report_failures():
        ends = write(folder, hosts)
    for each in hosts:
        typer.echo(f"{folder / each}: valid until {ends:%Y-%m-%d}")


@app.command()
def configuration(
    file: Annotated[Path, typer.Argument(help="Where to write.")],
    host: Hosts = None,
    client_tls: Annotated[
        bool, typer.Option("--client-tls/--no-client-tls", help="TLS for the services, too.")
    ] = True,
) -> None:
    """Write the configuration of the servers: deploy/cluster/nats.conf for other hosts."""
    from aero2.cluster_config import deployed_configuration

    hosts = tuple(host or HOSTS)
    with report_failures():
        if len(hosts) < len(HOSTS) or len(set(hosts)) != len(hosts):
            raise CommandError("A cluster that survives a loss has at least three servers.")
        file.write_text(deployed_configuration(hosts, client_tls=client_tls))


@app.command("wait-current")
def wait_current(
    servers: Annotated[int, typer.Option(min=1, help="How many servers there are.")] = len(HOSTS),
    within: Annotated[float, typer.Option(help="Seconds to wait, at most.")] = 300,
) -> None:
    """Wait until every server is healthy and has the whole stream: then the next one may stop.

    Needs AERO2_NATS_URL, and NATS_SYSTEM_PASSWORD of the servers. Exits with 1 if it takes too long.
    """
    with report_failures():
        asyncio.run(_wait_current(servers, within))


async def _wait_current(servers: int, within: float) -> None:
    from aero2.cluster_config import SYSTEM_USER
    from aero2.cluster_state import wait_current as wait
    from aero2.connection import connected_as_operator

    async with connected_as_operator(SYSTEM_USER) as nc:
        state = await wait(nc, servers, within, lambda text: typer.echo(text, err=True))
    if state is None:
        raise CommandError(f"Not current after {within:g} s. Stop no other server now.")
    for server in state.servers:
        copy = "no stream" if server.last_seq is None else f"stream up to {server.last_seq}"
        leads = ", leads" if server.behind is not None else ""
        typer.echo(f"{server.name}: healthy, {copy}{leads}")
