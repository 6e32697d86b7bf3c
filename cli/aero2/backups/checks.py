"""Checks before a restore changes anything, and after it."""

from __future__ import annotations

from pathlib import Path

from aero2.backups import catalogue, facts
from aero2.backups.audit_check import verify
from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.failures import CommandError
from aero2.master_key_rotation import imported_keys, stored_keys
from aero2.migration_steps import Connection
from common.audit_chain import public_key
from common.crypto import Keys
from common.master_keys import MasterKeyMissing, remember, with_imported
from common.sealing import Unsealable, data_key_place, unwrap


def refuse_newer(described: Manifest, source: Path) -> None:
    """Raises CommandError if this version does not know all migrations of the backup. An older backup is
    migrated after the restore."""
    ours = {path.name for path in (source / "migrations").glob("[0-9]*.sql")} | {"schema.sql"}
    if newer := sorted(described.migrations.keys() - ours):
        raise CommandError(
            f"This backup was made by Aero2 {described.version}, which has {', '.join(newer)}. "
            "Install that version, or a later one."
        )


def refuse_other_keys(described: Manifest, keys: Keys) -> None:
    """Raises CommandError if a master key is missing that the backup needs: nobody could sign in."""
    configured = dict(keys.masters)
    for key in described.master_keys:
        if key.id not in configured and not key.retired:
            raise CommandError(
                f"The master key {key.id} is missing. It opens {key.data_keys} data keys of this "
                f"backup; the given ones are {', '.join(configured)}. Restore with the secrets of "
                "the backup's own time."
            )
        if key.id in configured and public_key(keys, key.id) != key.audit_key:
            raise CommandError(
                f"The master key {key.id} is another one than that of this backup, in spite of its "
                "name. It opens nothing in it."
            )


async def compare(db: Connection, described: Manifest, reporter: Reporter) -> None:
    """Raises CommandError if schema or rows differ from what the manifest says."""
    restored = await catalogue.fingerprint(db)
    expected = described.catalogue
    if (
        db.get_server_version().major != described.server_version
    ):  # versions word things differently
        restored = {kind: text.split()[0] for kind, text in restored.items()}
        expected = {kind: text.split()[0] for kind, text in expected.items()}
    differing = [kind for kind in expected if restored.get(kind) != expected[kind]]
    if differing:
        raise CommandError(f"The restored schema differs in: {', '.join(differing)}.")
    with reporter.step("Counting rows", sum(described.sizes.values())) as step:
        counts = await facts.count_rows(
            db,
            list(described.counts),
            lambda table: step.advance(described.sizes.get(table, 0), at=table),
        )
    wrong = [table for table, count in described.counts.items() if counts[table] != count]
    if wrong:
        raise CommandError(f"Rows are missing, or too many, in: {', '.join(wrong)}.")


async def known_keys(db: Connection, keys: Keys) -> Keys:
    """Returns the keys with the retired ones of the database. Raises CommandError."""
    try:
        remembered = remember(keys, await stored_keys(db))
        return with_imported(remembered, await imported_keys(db))
    except MasterKeyMissing as error:
        raise CommandError(str(error)) from None


async def open_data_keys(db: Connection, keys: Keys) -> int:
    """Returns how many data keys the master keys open. Raises CommandError for one that they do not."""
    opened = 0
    async with db.transaction(readonly=True):
        sql = "SELECT app_id::text AS app_id, id, wrapped FROM data_keys"
        async for row in db.cursor(sql, prefetch=500):
            try:
                unwrap(keys, data_key_place(row["app_id"], row["id"]), row["wrapped"])
            except (Unsealable, ValueError) as error:
                raise CommandError(
                    f"A data key of the application {row['app_id']} cannot be opened: {error}."
                ) from None
            opened += 1
    return opened


async def verify_audit(
    db: Connection, keys: Keys, reporter: Reporter, *, accept_faults: bool
) -> None:
    """Verifies the audit logs. Raises CommandError if something was changed in them, or reports it."""
    total = await db.fetchval("SELECT count(*) FROM audit_chain")
    with reporter.step("Verifying audit logs", total) as step:
        faults = await verify(db, keys, step.advance)
    for fault in faults[:20]:
        reporter.say(f"Audit log of {fault}")
    if faults and not accept_faults:
        raise CommandError(
            f"The audit logs in this backup are not intact: {len(faults)} faults. If you know why, "
            "restore with --accept-audit-faults."
        )
