"""`aero2 apps move` as a command, with settings from the environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from aero2.owner_urls import read_owner_urls
from aero2.secret_variables import OWNER
from common.context import system_context
from common.homes import MAIN
from common.invalidation import NatsInvalidation

TRIES: Final = 20
"""How often a move that has begun goes on by itself after a server was lost: a failover takes a while."""
PAUSE: Final = 3.0
"""Seconds before that."""
LOCK_TRIES: Final = 30
"""How often the lock is tried, ten times a second."""
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
    """The application to move, where, and how. `tell` is called with the id of an application that has changed."""

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
        record = await records.find_move(first[MAIN])
        application = await records.find_application(first[MAIN], options.slug)
        planned = _plan(urls, options, record, application)
    async with (
        connected(
            urls, [MAIN, planned.source, planned.target], may_be_away=options.abort
        ) as clusters,
        _locked(clusters),
    ):
        main = clusters[MAIN]
        if await records.find_move(main) != record:
            raise CommandError("Another move has begun at this moment. Run the command again.")
        if options.abort:
            await abort.abort(planned, clusters, options.report)
            return
        if record is None:
            source, target = clusters[planned.source], clusters[planned.target]
            tables = rows.moved(await app_tables(source))
            await checks.refuse_unready(source, target, planned, tables)
            await records.begin(main, planned)
        await Mover(
            planned,
            urls,
            clusters,
            options.tell,
            options.report,
            busy=options.busy,
            patience=options.patience,
        ).run()


def _plan(
    urls: Mapping[str, str],
    options: MoveOptions,
    record: Move | None,
    application: records.RegisteredApplication,
) -> Move:
    """Returns the move to do, or to go on with. Raises CommandError if it cannot be."""
    if application.is_dashboard:
        raise CommandError("The Dashboard stays on main: it has the registries beside it.")
    if record is not None and record.app_id != application.id:
        raise CommandError(
            f"{record.slug} is being moved from {record.source} to {record.target}. Finish that first: "
            f"aero2 apps move {record.slug} --to {record.target}, or the same with --abort."
        )
    target = options.target
    if target not in urls:
        raise CommandError(
            f"There is no cluster {target}: {OWNER}_{target.upper()} is not set. Known: {', '.join(sorted(urls))}."
        )
    if record is not None:
        return _of_record(options, record, urls)
    if options.abort:
        raise CommandError(f"{application.slug} is not being moved.")
    if application.home == target:
        raise CommandError(f"{application.slug} lives in {target} already.")
    if application.home not in urls:
        raise CommandError(
            f"{application.slug} lives in {application.home}, but {OWNER}_{application.home.upper()} is not set."
        )
    return Move(application.id, application.slug, application.home, target)


def _of_record(options: MoveOptions, record: Move, urls: Mapping[str, str]) -> Move:
    if record.target != options.target:
        raise CommandError(
            f"{record.slug} is being moved to {record.target}. Finish that, or undo it: "
            f"aero2 apps move {record.slug} --to {record.target} --abort."
        )
    if record.source not in urls:
        raise CommandError(
            f"{record.slug} comes from {record.source}, but {OWNER}_{record.source.upper()} is not set."
        )
    if record.phase == records.ABORTING and not options.abort:
        raise CommandError(f"The move of {record.slug} is being undone: add --abort.")
    return record


@asynccontextmanager
async def _locked(clusters: Mapping[str, Connection]) -> AsyncIterator[None]:
    """Holds the lock of migrations in each cluster, so that neither a migration nor another move runs. Raises
    CommandError if it is taken. The lock ends with the connections."""
    for name, db in clusters.items():
        tries = 0
        while not await db.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            if (
                tries := tries + 1
            ) < LOCK_TRIES:  # a server needs a moment to notice that a run was killed
                await asyncio.sleep(0.1)
                continue
            holder = await db.fetchval(HOLDER, LOCK)
            raise CommandError(
                f"Another move or a migration is under way in {name} ({holder or 'just ended'}). Try again later."
            )
    yield


async def run(
    slug: str, target: str, *, abort: bool, busy: float, report: Callable[[str], None]
) -> None:
    """Runs the command with the URLs of the environment. Raises CommandError."""
    urls = read_owner_urls()
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
