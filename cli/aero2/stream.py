"""`aero2 stream`: the copies of the audit stream, and what is missing on it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aero2.command_groups import new_group
from aero2.failures import report_failures

if TYPE_CHECKING:
    from aero2.stream_replicas import StreamStatus

app = new_group("The audit stream: its copies, and what is missing on it.")

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Of the `aero2 up` that is meant. Without it: AERO2_NATS_URL and AERO2_NATS_PASSWORD, "
        "else .aero2."
    ),
]


@app.callback()
def main() -> None:
    """The audit stream: its copies, and what is missing on it."""


@app.command()
def status(data_dir: DataDir = None) -> None:
    """Show the copies of the stream, what it holds, and its consumers."""
    from aero2.connection import from_environment
    from aero2.stream_replicas import stream_status

    async def run() -> StreamStatus:
        async with from_environment(data_dir) as bus:
            return await stream_status(bus.nc)

    with report_failures():
        _show(asyncio.run(run()))


@app.command()
def replicas(
    copies: Annotated[int, typer.Argument(min=1, max=5, help="Servers that keep a copy.")],
    within: Annotated[float, typer.Option(help="Seconds to wait, at most.")] = 300,
) -> None:
    """Change how many servers keep a copy of the stream, and wait until all have it.

    Needs AERO2_NATS_URL, and NATS_SYSTEM_PASSWORD of the servers. Set AERO2_STREAM_REPLICAS to the same
    number: a service that creates the stream again reads it.
    """
    from aero2.connection import connected_as_operator
    from aero2.nats_access import STREAM_ADMIN
    from aero2.stream_replicas import change_replicas

    async def run() -> StreamStatus:
        async with connected_as_operator(STREAM_ADMIN) as nc:
            return await change_replicas(
                nc, copies, within, lambda text: typer.echo(text, err=True)
            )

    with report_failures():
        after = asyncio.run(run())
    _show(after)
    if after.consumers:
        typer.echo(
            "Consumers stay. Create one again if it delivers nothing more: "
            f"{', '.join(after.consumers)}.",
            err=True,
        )


@app.command()
def refill(
    since: Annotated[
        float, typer.Option(min=0, help="Hours to go back; the stream keeps seven days.")
    ] = 24,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Of the `aero2 up` that is meant. Without it: the environment."),
    ] = None,
) -> None:
    """Send what is in the log and not on the stream to the stream again: after the stream was lost.

    Needs the environment of tenancy: docker compose exec tenancy aero2 stream refill. Running it twice
    sends nothing twice. Activity, which is on the stream only, does not come back.
    """
    from aero2.stream_refill import refill as run

    with report_failures():
        asyncio.run(run(since, data_dir))


def _show(state: StreamStatus) -> None:
    behind = f", not current: {', '.join(state.behind)}" if state.behind else ""
    typer.echo(f"copies: {state.replicas}{behind}")
    typer.echo(f"leader: {state.leader or 'a server alone'}")
    since = f" since {state.since[:19]}Z" if state.since else ""
    typer.echo(f"messages: {state.messages} ({state.bytes} bytes){since}, up to {state.last_seq}")
    typer.echo(f"consumers: {', '.join(state.consumers) or 'none'}")
