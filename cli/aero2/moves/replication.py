"""The logical replication of a move: a publication and a slot at the source, a subscription at the target."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

import asyncpg

from aero2.app_tables import AppTable
from aero2.failures import CommandError
from aero2.lock_watch import LockWatch, watching
from aero2.migration_steps import Connection
from aero2.moves.clusters import for_replication, open_connection
from aero2.moves.records import Move

SLOT_WAIT: Final = 60.0
"""Seconds for a slot, which waits for every transaction that writes at this moment."""
SLOT_USUAL: Final = 2.0
"""Seconds after which a blocking transaction is looked for."""
RELEASE: Final = 10.0
"""Seconds for a slot to become free."""
SUBSCRIBE: Final = """
    DO $subscribe$
    BEGIN
        EXECUTE format(
            'CREATE SUBSCRIPTION %1$I CONNECTION %2$L PUBLICATION %1$I WITH (create_slot = false,'
            ' slot_name = %1$L, run_as_owner = true, disable_on_error = true, streaming = off)',
            current_setting('aero2.move_name'), current_setting('aero2.move_source'));
    EXCEPTION WHEN OTHERS THEN  -- the context of the error itself has the connection
        RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
    END
    $subscribe$
"""
"""The text of the statement has no password, so neither a log nor pg_stat_activity has it."""


class CopyLost(CommandError):
    """The source has dropped changes that the copy lacks, so that it has to begin again."""


@dataclass(frozen=True)
class CopyState:
    """How far the first copy has come."""

    tables: int
    ready: int
    rows: int
    """That the tables under way have so far."""


async def publish(source: Connection, move: Move, tables: list[AppTable]) -> None:
    """Publishes the application's rows, and the source's fence. Raises CommandError for a table that would
    stop the updates of every application."""
    await refuse_without_identity(source, tables)
    filtered = [f"public.{table.name} WHERE (app_id = '{move.app_id}')" for table in tables]
    filtered.append(
        f"public.application_fences WHERE (app_id = '{move.app_id}' AND cluster = '{move.source}')"
    )
    await source.execute(f"DROP PUBLICATION IF EXISTS {move.name}")
    await source.execute(
        f"CREATE PUBLICATION {move.name} FOR TABLE {', '.join(filtered)} "
        "WITH (publish_via_partition_root = true)"
    )


async def refuse_without_identity(source: Connection, tables: list[AppTable]) -> None:
    """Raises CommandError unless every table and partition is identified by a primary key with app_id. Without
    one, a publication makes Postgres refuse each UPDATE and DELETE, and with FULL, generated columns differ."""
    names = await source.fetch(
        """
        SELECT c.relname FROM pg_class c
        WHERE (c.oid = ANY ($1::text[]::regclass[])
               OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = ANY ($1::text[]::regclass[])))
          AND NOT (c.relreplident = 'd' AND EXISTS (
              SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
              WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND a.attname = 'app_id'))
        ORDER BY c.relname
        """,
        [table.name for table in tables],
    )
    if names:
        listed = ", ".join(row["relname"] for row in names[:5])
        raise CommandError(
            f"{listed}: the replica identity is not the primary key, or that lacks app_id. A publication would "
            "stop the updates of every application there. Set REPLICA IDENTITY DEFAULT."
        )


async def make_slot(urls: dict[str, str], source: Connection, move: Move) -> None:
    """Makes the slot, which keeps the changes from now on. Raises CommandError if a transaction holds it up."""
    make = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')"

    async def connect() -> Connection:
        return await open_connection(urls, move.source)

    making = asyncio.ensure_future(source.fetchval(make, move.name, timeout=SLOT_WAIT))
    watch = LockWatch()
    if not (await asyncio.wait([making], timeout=SLOT_USUAL))[0]:
        async with watching(connect, source.get_server_pid()) as watch:
            await asyncio.wait([making])
    try:
        await making
    except TimeoutError:
        raise CommandError(
            f"Nothing was moved: the copy has to begin between transactions, and {watch} goes on. "
            "Run the same command again when that has ended, or with --abort."
        ) from None


async def subscribe(target: Connection, move: Move, source_url: str) -> None:
    """Starts to copy. Raises CommandError if the target cannot reach the source."""
    await target.execute(
        "SELECT set_config('aero2.move_name', $1, false), set_config('aero2.move_source', $2, false)",
        move.name,
        for_replication(source_url),
    )
    try:
        await target.execute(SUBSCRIBE)
    except asyncpg.PostgresConnectionError as error:
        if target.is_closed():
            raise
        raise CommandError(
            f"{move.target} cannot connect to {move.source} by the owner's URL: {error}. The server itself "
            "connects: name a host that it reaches, and files that it has."
        ) from None
    finally:
        if not target.is_closed():
            await target.execute("SELECT set_config('aero2.move_source', '', false)")


async def timeline_of(db: Connection) -> int:
    """Returns the timeline of a server: each promotion begins a new one."""
    timeline: int = await db.fetchval(
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint"
    )
    return timeline


async def is_usable(
    source: Connection, target: Connection, move: Move, timeline: int | None
) -> bool:
    """Returns whether a copy that was begun can go on: its slot has lost nothing, and the target is still on the
    timeline on which it began. A promoted standby may lack what the target had confirmed before. Wakes a
    subscription that an error has stopped."""
    if timeline != await timeline_of(target):
        return False
    slot = await source.fetchval(
        "SELECT wal_status <> 'lost' FROM pg_replication_slots WHERE slot_name = $1", move.name
    )
    enabled = await target.fetchval(
        "SELECT subenabled FROM pg_subscription WHERE subname = $1", move.name
    )
    published = await source.fetchval(
        "SELECT true FROM pg_publication WHERE pubname = $1", move.name
    )
    if not slot or enabled is None or not published:
        return False
    if not enabled:
        await target.execute(f"ALTER SUBSCRIPTION {move.name} ENABLE")
    return True


async def refuse_broken(source: Connection, target: Connection, move: Move) -> None:
    """Raises CommandError if the copy has stopped."""
    if not await source.fetchval(
        "SELECT wal_status <> 'lost' FROM pg_replication_slots WHERE slot_name = $1", move.name
    ):
        raise CopyLost(
            f"{move.source} has dropped what the copy still needs: a standby was promoted, or the copy was too slow "
            "for max_slot_wal_keep_size"
        )
    if not await target.fetchval(
        "SELECT subenabled FROM pg_subscription WHERE subname = $1", move.name
    ):
        raise CommandError(
            f"The copy has stopped with an error, which the log of {move.target} has. Run the same command again "
            "to go on, or with --abort to undo it."
        )


async def copy_state(target: Connection, move: Move) -> CopyState:
    """Returns how far the first copy has come."""
    row = await target.fetchrow(
        """
        SELECT count(*)::int AS tables, (count(*) FILTER (WHERE r.srsubstate = 'r'))::int AS ready,
               coalesce(sum(p.tuples_processed), 0)::bigint AS rows
        FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
        LEFT JOIN pg_stat_progress_copy p ON p.relid = r.srrelid AND p.datname = current_database()
        WHERE s.subname = $1
        """,
        move.name,
    )
    assert row is not None
    return CopyState(**row)


async def bytes_behind(source: Connection, move: Move) -> int:
    """Returns how much the target has not confirmed yet, of the log of the whole source."""
    behind: int | None = await source.fetchval(
        """
        SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint
        FROM pg_replication_slots WHERE slot_name = $1
        """,
        move.name,
    )
    return behind or 0


async def unsubscribe(target: Connection, move: Move) -> None:
    """Ends the subscription, also if the source is dark. Repeatable."""
    if not await target.fetchval("SELECT true FROM pg_subscription WHERE subname = $1", move.name):
        return
    await target.execute(f"ALTER SUBSCRIPTION {move.name} DISABLE")
    await target.execute(f"ALTER SUBSCRIPTION {move.name} SET (slot_name = NONE)")
    await target.execute(f"DROP SUBSCRIPTION {move.name}")


async def unpublish(source: Connection, move: Move) -> None:
    """Drops the slot and the publication. Repeatable. Raises CommandError if the slot does not become free."""
    slots = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1"
    async with asyncio.timeout(RELEASE):
        while row := await source.fetchrow(slots, move.name):
            if row["active_pid"] is not None:
                await source.execute("SELECT pg_terminate_backend($1)", row["active_pid"])
            else:
                # It may be taken, or dropped, at this moment.
                with contextlib.suppress(asyncpg.ObjectInUseError, asyncpg.UndefinedObjectError):
                    await source.execute("SELECT pg_drop_replication_slot($1)", move.name)
            await asyncio.sleep(0.05)
    await source.execute(f"DROP PUBLICATION IF EXISTS {move.name}")
