"""Checks of `aero2 doctor` that look into the database. Each reads little, and changes nothing."""

from __future__ import annotations

import ipaddress
import time
from typing import Final

from aero2.doctor_findings import Finding, Level, failure, ok, skipped, warning
from aero2.doctor_target import Connection, Target
from aero2.migrate import folder
from aero2.schema_check import faults
from aero2.schema_files import MigrationError, missing_migrations, refuse_foreign
from common.crypto import BadKey, Keys
from common.master_keys import MasterKey, MasterKeyMissing, remember

SKEW: Final = 2.0
"""Seconds by which clocks may differ."""
SCARCE: Final = 0.8
"""The share of the server's connections above which there is a warning."""
MANY_SESSIONS, MANY_USERS = 20, 5
"""Sessions and users from which on one address for all of them is suspicious."""
MOST_FAULTS: Final = 10
"""Findings about the schema, so that all can be read."""
LOOKED_AT: Final = 2000
"""Sessions at most."""


async def check_pooler(target: Target, db: Connection) -> list[Finding]:
    """The process that executes a statement must be the one that accepted the connection."""
    pid = await db.fetchval("SELECT pg_backend_pid()")
    if pid == db.get_server_pid():
        return ok("pooler", "Services reach PostgreSQL directly.")
    return failure(
        "pooler",
        "A connection pooler such as PgBouncer is between this machine and PostgreSQL.",
        "Connect to PostgreSQL directly: each service has a pool of its own.",
    )


async def check_clock(target: Target, db: Connection) -> list[Finding]:
    """Codes and tokens end at a time, and records say when."""
    before = time.time()
    server = float(await db.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    after = time.time()
    skew = max(before - server, server - after, 0.0)
    if skew <= SKEW:
        return ok("clock", "The clocks of this machine and of the database agree.")
    return failure(
        "clock",
        f"The clocks of this machine and of the database differ by {skew:.0f} seconds.",
        "Run NTP (chrony, systemd-timesyncd) on both.",
    )


async def check_schema(target: Target, db: Connection) -> list[Finding]:
    """The schema must be that of this version, with valid indexes."""
    if not await db.fetchval("SELECT to_regclass('public.schema_migrations')"):
        return failure("schema", "The database has no schema.", "Run: aero2 migrate.")
    try:
        await refuse_foreign(db, folder())
    except MigrationError as error:
        return failure("schema", str(error), "Run the version that fits the database.")
    if missing := await missing_migrations(db, folder()):
        return failure(
            "schema",
            f"The database lacks {len(missing)} migrations of this version: {missing[0]} and later.",
            "Run: aero2 migrate. A migration of the phase contract needs --contract.",
        )
    invalid = await db.fetch(
        """
        SELECT c.relname FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND NOT i.indisvalid
        ORDER BY c.relname LIMIT 10
        """
    )
    if invalid:
        return warning(
            "schema",
            f"The index {invalid[0]['relname']} is not valid: queries do not use it.",
            "An index was built CONCURRENTLY and interrupted. Run aero2 migrate again, or drop it.",
        )
    return ok("schema", "The schema is that of this version.")


async def check_row_level_security(target: Target, db: Connection) -> list[Finding]:
    """The schema must keep applications apart: also where a policy lets every role see all rows, where a service
    may use a partition past the policies, and where a partition is missing."""
    return [
        Finding(
            "row_level_security",
            Level.FAILURE,
            f"The schema does not keep applications apart: {fault.sentence}.",
            f"{fault.repair[:1].upper()}{fault.repair[1:]}.",
        )
        for fault in (await faults(db))[:MOST_FAULTS]
    ] or ok("row_level_security", "Row level security binds every table and role.")


async def check_master_key(target: Target, db: Connection) -> list[Finding]:
    """Services refuse to start without a key that the database still needs."""
    if not target.master_key:
        return skipped("master_key", "set AERO2_MASTER_KEY to compare it with the database")
    rows = await db.fetch("SELECT id, wrapped, audit_key, retired_at FROM master_keys ORDER BY age")
    try:
        keys = Keys.parse(target.master_key)
        remember(keys, [MasterKey(**row) for row in rows])
    except (BadKey, MasterKeyMissing) as error:
        return failure(
            "master_key",
            str(error).split(". ", 1)[0].rstrip(".") + ".",
            "Restore the key from where you keep it: without it, sealed columns cannot be read.",
        )
    return ok("master_key", "AERO2_MASTER_KEY has every key that the database needs.")


async def check_durability(target: Target, db: Connection) -> list[Finding]:
    """PostgreSQL must write to the disk before it acknowledges."""
    rows = await db.fetch(
        """
        SELECT name FROM pg_catalog.pg_settings
        WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
        ORDER BY name
        """
    )
    if not rows:
        return ok("durability", "PostgreSQL writes to the disk before it acknowledges.")
    names = ", ".join(row["name"] for row in rows)
    return failure(
        "durability",
        f"PostgreSQL may lose what it has acknowledged: {names} off.",
        "Turn the settings on in postgresql.conf and reload.",
    )


async def check_connections(target: Target, db: Connection) -> list[Finding]:
    """Pools grow until the server refuses connections."""
    most, reserved, used = await db.fetchrow(  # type: ignore[misc] # one row
        """
        SELECT current_setting('max_connections')::int,
            current_setting('superuser_reserved_connections')::int,
            (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')
        """
    )
    room = most - reserved
    if used <= SCARCE * room:
        return ok("connections", f"{used} of {room} connections of PostgreSQL are in use.")
    return warning(
        "connections",
        f"{used} of {room} connections of PostgreSQL are in use.",
        "Raise max_connections, or lower AERO2_POOL_SIZE: each process of a service may open that "
        "many and three for each of its jobs.",
    )


async def check_backup(target: Target, db: Connection) -> list[Finding]:
    """There must be a second copy of the data: an archive of the WAL, a standby, or a dump."""
    archived, failing, standbys = await db.fetchrow(  # type: ignore[misc] # one row
        """
        SELECT last_archived_time > now() - interval '1 day',
            last_failed_time > coalesce(last_archived_time, '-infinity'),
            (SELECT count(*) FROM pg_catalog.pg_stat_replication)
        FROM pg_catalog.pg_stat_archiver
        """
    )
    if failing:
        return failure(
            "backup",
            "PostgreSQL does not archive its WAL: the last attempt has failed.",
            "Look at archive_command and its target. The disk fills meanwhile.",
        )
    if archived or standbys:
        how = "archives its WAL" if archived else f"has {standbys} standby"
        return ok("backup", f"PostgreSQL {how}.")
    return warning(
        "backup",
        "PostgreSQL neither archives its WAL nor has a standby.",
        "Unless you dump it regularly, a lost disk is a lost deployment (docs/operating.md).",
    )


async def check_sessions(target: Target, db: Connection) -> list[Finding]:
    """If all people seem to come from one private address, that is the address of a proxy."""
    rows = await db.fetch(
        """
        SELECT ip_address, count(*) AS sessions, count(DISTINCT user_id) AS users
        FROM (
            SELECT ip_address, user_id FROM user_sessions
            WHERE created_at > now() - interval '7 days' AND ip_address IS NOT NULL LIMIT $1
        ) latest
        GROUP BY ip_address LIMIT 2
        """,
        LOOKED_AT,
    )
    if not rows or (rows[0]["sessions"] < MANY_SESSIONS and len(rows) == 1):
        return skipped("client_address", "there are too few sessions to tell")
    row = rows[0]
    if (
        len(rows) > 1
        or row["users"] < MANY_USERS
        or target.is_local
        or not _private(row["ip_address"])
    ):
        return ok("client_address", "Sessions have the addresses of clients.")
    return failure(
        "client_address",
        f"All sessions come from {row['ip_address']}: that is your proxy, and limits count everybody "
        "as one client.",
        "Set AERO2_TRUSTED_PROXIES to the network of the proxy, and let it send X-Forwarded-For.",
    )


def _private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False
