"""`aero2 apps move` as a command, with settings from the environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from aero2.app_tables import app_tables
from aero2.connection import from_environment
from aero2.failures import CommandError
from aero2.migrate import LOCK
from aero2.migration_steps import Connection
from aero2.moves import abort, checks, leftovers, records, rows
from aero2.moves.clusters import LOST, ClusterAway, connected
from aero2.moves.mover import BUSY, Mover
from aero2.moves.records import Move
from aero2.moves.replication import CopyLost
from aero2.owner_urls import BadCluster, owner_urls
from aero2.secret_variables import OWNER
from common.context import system_context
from common.homes import MAIN
from common.invalidation import NatsInvalidation
from common.secret_files import BadSecret

TRIES: Final = 20
"""How often a move that has begun goes on by itself after a server was lost: a failover takes a while."""
PAUSE: Final = 3.0
"""Seconds before that."""
HOLDER: Final = """
    SELECT coalesce(nullif(a.application_name, ''), a.usename, '?')
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database
                                                                 WHERE datname = current_database())
      AND (l.classid::bigint << 32) | l.objid::bigint = $1
    LIMIT 1
"""


@dataclass(frozen=True)
class MoveOptions:
    """What somebody wants moved, and how. `tell` is called with the id of an application that has changed."""

    slug: str
    target: str
    tell: Callable[[str], Awaitable[None]]
    report: Callable[[str], None]
    abort: bool = False
    busy: float = BUSY
    patience: float = leftovers.PATIENCE
    pause: float = PAUSE


async def move(urls: Mapping[str, str], options: MoveOptions) -> None:
    """Moves an application, goes on with a move that has begun, or undoes it. After the loss of a server it goes
    on by itself. Raises CommandError."""
    for attempt in range(TRIES):
        try:
            await _try(dict(urls), options)
            return
        except (*LOST, ClusterAway, CopyLost) as error:
            if isinstance(error, ClusterAway) and attempt == 0:
                raise
            why = str(error) if isinstance(error, CommandError) else type(error).__name__
            if attempt + 1 == TRIES:
                raise CommandError(
                    f"A server was lost ({why}). Run the same command again when it is back: it goes on."
                ) from None
            options.report(f"a server was lost ({why}): going on")
            await asyncio.sleep(options.pause)
        except asyncpg.PostgresError as error:
            raise CommandError(
                f"PostgreSQL refused a step: {error}. Run the same command again, or with --abort."
            ) from None


async def _try(urls: dict[str, str], options: MoveOptions) -> None:
    async with connected(urls, [MAIN]) as first:
        begun = await records.find_move(first[MAIN])
        found = await records.find_application(first[MAIN], options.slug)
        wanted = _wanted(urls, options, begun, found)
    async with (
        connected(
            urls, [MAIN, wanted.source, wanted.target], may_be_away=options.abort
        ) as clusters,
        _locked(clusters),
    ):
        main = clusters[MAIN]
        if await records.find_move(main) != begun:
            raise CommandError("Another move has begun at this moment. Run the command again.")
        if options.abort:
            await abort.abort(wanted, clusters, options.report)
            return
        if begun is None:
            source, target = clusters[wanted.source], clusters[wanted.target]
            tables = rows.moved(await app_tables(source))
            await checks.refuse_unready(source, target, wanted, tables)
            await records.begin(main, wanted)
        await Mover(
            wanted,
            urls,
            clusters,
            options.tell,
            options.report,
            busy=options.busy,
            patience=options.patience,
        ).run()


def _wanted(
    urls: Mapping[str, str],
    options: MoveOptions,
    begun: Move | None,
    found: records.RegisteredApplication,
) -> Move:
    """Returns the move to do, or to go on with. Raises CommandError if it cannot be."""
    if found.is_dashboard:
        raise CommandError("The Dashboard stays on main: it has the registries beside it.")
    if begun is not None and begun.app_id != found.id:
        raise CommandError(
            f"{begun.slug} is being moved from {begun.source} to {begun.target}. Finish that first: "
            f"aero2 apps move {begun.slug} --to {begun.target}, or the same with --abort."
        )
    target = options.target
    if target not in urls:
        raise CommandError(
            f"There is no cluster {target}: {OWNER}_{target.upper()} is not set. Known: {', '.join(sorted(urls))}."
        )
    if begun is not None:
        return _begun(options, begun, urls)
    if options.abort:
        raise CommandError(f"{found.slug} is not being moved.")
    if found.home == target:
        raise CommandError(f"{found.slug} lives in {target} already.")
    if found.home not in urls:
        raise CommandError(
            f"{found.slug} lives in {found.home}, but {OWNER}_{found.home.upper()} is not set."
        )
    return Move(found.id, found.slug, found.home, target)


def _begun(options: MoveOptions, begun: Move, urls: Mapping[str, str]) -> Move:
    if begun.target != options.target:
        raise CommandError(
            f"{begun.slug} is being moved to {begun.target}. Finish that, or undo it: "
            f"aero2 apps move {begun.slug} --to {begun.target} --abort."
        )
    if begun.source not in urls:
        raise CommandError(
            f"{begun.slug} comes from {begun.source}, but {OWNER}_{begun.source.upper()} is not set."
        )
    if begun.phase == records.ABORTING and not options.abort:
        raise CommandError(f"The move of {begun.slug} is being undone: add --abort.")
    return replace(begun)


@asynccontextmanager
async def _locked(clusters: Mapping[str, Connection]) -> AsyncIterator[None]:
    """Holds the lock of migrations in each cluster, so that neither a migration nor another move runs. Raises
    CommandError at once if it is taken. The lock ends with the connections."""
    for name, db in clusters.items():
        if not await db.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            holder = await db.fetchval(HOLDER, LOCK)
            raise CommandError(
                f"Another move or a migration is under way in {name} ({holder or 'just ended'}). Try again later."
            )
    yield


async def run(
    slug: str, target: str, *, abort: bool, busy: float, report: Callable[[str], None]
) -> None:
    """Runs the command with the URLs of the environment. Raises CommandError."""
    try:
        urls = owner_urls()
    except (BadSecret, BadCluster) as problem:
        raise CommandError(f"{problem}.") from None
    if not urls:
        raise CommandError(f"{OWNER} is not set: whose applications are meant?")
    async with from_environment():
        pass  # refuses now, rather than when the processes have to be told

    async def tell(app_id: str) -> None:
        try:
            async with from_environment() as bus:
                await NatsInvalidation(bus.nc).publish(
                    system_context(app_id), "application", app_id
                )
        except CommandError as problem:
            report(f"{problem} Gateways notice the new home within a minute.")

    await move(urls, MoveOptions(slug, target, tell, report, abort=abort, busy=busy))
