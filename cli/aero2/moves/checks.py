"""Whether two clusters are set up for a move. Each sentence says what to set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aero2.app_tables import AppTable
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.moves import fences, replication
from aero2.moves.records import Move

OLDEST: Final = 16
"""PostgreSQL 16: subscriptions that write as their owner."""
SETTINGS: Final = """
    SELECT current_setting('wal_level') AS wal_level,
           current_setting('max_replication_slots')::int
               - (SELECT count(*) FROM pg_replication_slots)::int AS slots,
           current_setting('max_wal_senders')::int
               - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender')::int AS senders,
           current_setting('max_slot_wal_keep_size') AS kept,
           coalesce(current_setting('idle_replication_slot_timeout', true), '0') AS idle,
           least(current_setting('max_logical_replication_workers')::int,
                 current_setting('max_worker_processes')::int)
               - (SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%')::int
               AS workers,
           coalesce(current_setting('max_active_replication_origins', true),
                    current_setting('max_replication_slots'))::int
               - (SELECT count(*) FROM pg_replication_origin)::int AS origins,
           1 + current_setting('max_sync_workers_per_subscription')::int AS needed,
           (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())::int AS prepared
"""
MIGRATIONS: Final = """
    SELECT ARRAY(SELECT name FROM schema_migrations WHERE steps_done IS NULL ORDER BY name) AS migrations
"""


async def refuse_unready(
    source: Connection, target: Connection, move: Move, tables: list[AppTable]
) -> None:
    """Raises CommandError with everything that the two servers lack for a move, for a table that cannot be
    published, and for a service that no fence would stop."""
    mistakes = [
        *_too_old(source, move.source),
        *_too_old(target, move.target),
    ]
    if not mistakes:
        mistakes += [*await _of_source(source, target, move), *await _of_target(target, move)]
    here, there = await source.fetchrow(MIGRATIONS), await target.fetchrow(MIGRATIONS)
    assert here is not None
    assert there is not None
    if here["migrations"] != there["migrations"]:
        mistakes.append(
            f"{move.source} and {move.target} have different migrations: run `aero2 migrate`."
        )
    if mistakes:
        raise CommandError(f"{move.slug} cannot be moved yet.\n" + "\n".join(mistakes))
    await replication.refuse_without_identity(source, tables)
    await fences.refuse_unaware(source, move)


def _too_old(db: Connection, cluster: str) -> Iterator[str]:
    if db.get_server_version().major < OLDEST:
        yield f"{cluster}: PostgreSQL {OLDEST} or later is needed."


async def _of_source(source: Connection, target: Connection, move: Move) -> list[str]:
    """The source keeps the changes in a slot, and sends them. Each table that is copied needs one more."""
    has = await source.fetchrow(SETTINGS)
    needs = await target.fetchrow(SETTINGS)
    assert has is not None
    assert needs is not None
    mistakes = []
    if has["wal_level"] != "logical":
        mistakes.append(
            f"{move.source}: wal_level is {has['wal_level']}. Set it to logical, and restart the server."
        )
    needed = needs["needed"]
    for name, setting in (("slots", "max_replication_slots"), ("senders", "max_wal_senders")):
        if has[name] < needed:
            mistakes.append(
                f"{move.source}: {max(has[name], 0)} of {setting} are free, and a move takes {needed}. Raise it."
            )
    if has["kept"] == "-1" and has["idle"] == "0":
        mistakes.append(
            f"{move.source}: an abandoned move would keep its log until the disk is full. Set "
            "max_slot_wal_keep_size, or idle_replication_slot_timeout."
        )
    if has["prepared"]:
        mistakes.append(
            f"{move.source}: {has['prepared']} prepared transactions are open (pg_prepared_xacts). End them."
        )
    return mistakes


async def _of_target(target: Connection, move: Move) -> list[str]:
    """The target has a process that applies, and one for each table that is copied at a time."""
    has = await target.fetchrow(SETTINGS)
    assert has is not None
    return [
        f"{move.target}: {max(has[name], 0)} of {setting} are free, and a move takes {has['needed']}. Raise it."
        for name, setting in (
            ("workers", "max_logical_replication_workers (within max_worker_processes)"),
            (
                "origins",
                "max_active_replication_origins (before PostgreSQL 18: max_replication_slots)",
            ),
        )
        if has[name] < has["needed"]
    ]
