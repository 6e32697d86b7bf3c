"""`aero2 keys rotate`: new signing keys for an application."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from aero2.command_groups import new_group
from aero2.connection import from_environment
from aero2.failures import report_failures
from common.bus import Bus
from common.context import system_context
from common.contracts.applications import GetApplication
from common.contracts.keys import RotatedKeys, RotateKeys
from common.ids import DASHBOARD

STILL_WAITING: Final = 3
"""Exit status where nothing was published, because the keys of before do not sign yet."""

app = new_group("Signing keys.")


@app.callback()
def main() -> None:
    """Signing keys of applications. They rotate by themselves; this is for when they must now."""


@app.command("rotate")
def rotate(
    slug: Annotated[str, typer.Argument(help="The application, by its slug.")],
    alg: Annotated[
        str | None, typer.Option(help="Only RS256, PS256, ES256 or EdDSA; by default all.")
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Sign with the new keys at once: a key has leaked.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Of the `aero2 up` that is meant. Without it: AERO2_NATS_URL and "
            "AERO2_NATS_PASSWORD, else .aero2."
        ),
    ] = None,
) -> None:
    """Publish new signing keys. They sign a day later, when relying parties have fetched them, or
    at once with --now; the old ones verify until the last token that they signed is gone.

    Exits with status 3 and publishes nothing while the keys of the last run still wait."""
    with report_failures():
        keys = asyncio.run(_rotated(slug, alg, now, data_dir))
    table = Table("key", "algorithm", "")
    state = dict.fromkeys(keys.published, "new") | {key.kid: "waits" for key in keys.waiting}
    for key in keys.keys:
        table.add_row(key["kid"], key["alg"], state.get(key["kid"], ""))
    Console().print(table)
    for waiting in keys.waiting:
        typer.echo(
            f"No new key for {waiting.alg}: {waiting.kid} was published before and signs from "
            f"{waiting.signs_at:%Y-%m-%d %H:%M} UTC. --now lets it sign at once.",
            err=True,
        )
    if keys.waiting and not keys.published:
        raise typer.Exit(STILL_WAITING)


async def _rotated(slug: str, alg: str | None, now: bool, folder: Path | None) -> RotatedKeys:
    async with from_environment(folder) as bus:
        return await rotated(bus, slug, alg, now=now)


async def rotated(bus: Bus, slug: str, alg: str | None, *, now: bool) -> RotatedKeys:
    """The application's keys afterwards. Raises ApplicationNotFound."""
    found = await bus.call(system_context(DASHBOARD), GetApplication(slug=slug))
    ctx = system_context(found.id, within=15, home=found.home)
    return await bus.call(ctx, RotateKeys(alg=alg, now=now))
