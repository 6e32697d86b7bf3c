"""Imports an application from a file: all of it in one transaction, or nothing.

The file opens only if it was made for this deployment, and each chunk was verified before it is read. Its
author may still mean harm. So every table and column is one of the catalogue that goes along, every row names
the one application of the file, names and types of statements never come from the file, and row level security
stands behind: rows are inserted as the owner of the schema, bound to that application.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import orjson
from pydantic import ValidationError

from aero2.app_tables import app_tables
from aero2.backups import checks
from aero2.backups.access import connected
from aero2.backups.audit_check import faults_of
from aero2.backups.facts import must_see_all
from aero2.backups.progress import Reporter
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.running_services import running_services
from aero2.transfers import contents, gate, registry_row
from aero2.transfers.contents import Manifest
from aero2.transfers.recognition import refuse_other_keys
from aero2.transfers.row_insertion import IncomingFile, RowInsertion, expected_tables
from aero2.transfers.sealed_file import damaged
from common import imported_keys
from common.audit_chain import public_keys
from common.contracts.app_settings import AppSettings
from common.crypto import Keys
from common.db_errors import violated_constraint
from common.sealing import data_key_place, unb64, wrap


@dataclass(frozen=True)
class Imported:
    """The result of an import. It is open already if no service has to learn its keys first."""

    app_id: str
    slug: str
    rows: int
    sha256: str
    final: bool
    opened: bool
    domains: list[str]


@dataclass(frozen=True)
class Import:
    """An import of a file. `dsn` is of a role that sees all rows. `team` is the id or slug of the team that
    will own the application."""

    dsn: str
    file: Path
    keys: Keys = field(repr=False)
    slug: str | None = None
    team: str | None = None
    accept_domains: bool = False
    accept_audit_faults: bool = False

    async def run(self, reporter: Reporter) -> Imported:
        """Imports the application. Raises CommandError, and then has changed nothing."""
        try:
            with self.file.open("rb") as file:
                incoming = IncomingFile.read(file, self.keys)
                async with connected(self.dsn) as db:
                    return await self._import(db, incoming, reporter)
        except asyncpg.DataError as error:
            raise damaged(f"a value has another type ({error})") from None
        except asyncpg.UniqueViolationError as error:
            raise registry_row.taken(violated_constraint(error), error.detail or "") from None
        except asyncpg.IntegrityConstraintViolationError as error:
            raise CommandError(f"The rows of the file do not fit together: {error}.") from None
        except asyncpg.InsufficientPrivilegeError as error:
            raise CommandError(f"The file was refused by the database: {error}.") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CommandError(f"The import failed: {error}") from None
        except OSError as error:
            raise CommandError(f"{self.file} cannot be read: {error.strerror}.") from None

    async def _import(self, db: Connection, incoming: IncomingFile, reporter: Reporter) -> Imported:
        await must_see_all(db)
        manifest = incoming.manifest
        contents.refuse_newer(manifest, await contents.applied_migrations(db))
        keys = await checks.known_keys(db, self.keys)
        refuse_other_keys(keys, manifest.keys)
        _refuse_settings(manifest)
        slug = self.slug or manifest.slug
        async with db.transaction():
            await gate.lock(db)
            await db.execute(contents.TEXT_FORMS)
            owner = await registry_row.owner(db, self.team)
            await registry_row.insert(db, manifest, slug, owner)
            await _insert_keys(db, manifest, keys)
            insertion = RowInsertion(db, incoming, expected_tables(manifest, await app_tables(db)))
            with reporter.step("Importing", sum(head.rows for head in manifest.tables)) as step:
                await insertion.run(step)
            await registry_row.check(db, manifest, accept_domains=self.accept_domains)
            await self._verify_audit(db, manifest, keys, reporter)
            await gate.guard(db)
            domains = await registry_row.verified_domains(db, manifest.app_id)
        opened = not await running_services(db)
        if opened:
            await gate.open_again(db, manifest.app_id)
        return Imported(
            manifest.app_id,
            slug,
            rows=incoming.digest.rows,
            sha256=incoming.digest.end().sha256,
            final=manifest.final,
            opened=opened,
            domains=domains,
        )

    async def _verify_audit(
        self, db: Connection, manifest: Manifest, keys: Keys, reporter: Reporter
    ) -> None:
        """Raises CommandError if the audit log is not intact."""
        trusted = public_keys(keys) | {key.id: key.audit_key for key in manifest.keys}
        total = await db.fetchval(
            "SELECT count(*) FROM audit_chain WHERE app_id = $1", manifest.app_id
        )
        with reporter.step("Verifying the audit log", total) as step:
            faults = await faults_of(db, manifest.app_id, trusted, step.advance)
        for fault in faults[:20]:
            reporter.say(f"Audit log: {fault}")
        if faults and not self.accept_audit_faults:
            raise CommandError(
                f"The audit log in this file is not intact: {len(faults)} faults. If you know why, import "
                "with --accept-audit-faults."
            )


def _refuse_settings(manifest: Manifest) -> None:
    """Raises CommandError for settings that no application can have."""
    try:
        AppSettings.model_validate(orjson.loads(manifest.application.get("settings") or "{}"))
    except (ValidationError, orjson.JSONDecodeError):
        raise damaged("the settings of the application are not as they should be") from None


async def _insert_keys(db: Connection, manifest: Manifest, keys: Keys) -> None:
    """Wraps the keys of the file under the master key of this deployment."""
    app_id = manifest.app_id
    for place, key in enumerate(manifest.keys):
        wrapped = imported_keys.wrap_purposes(keys, app_id, key.id, key.opened())
        await db.execute(
            """
            INSERT INTO imported_keys (app_id, id, place, wrapped, audit_key) VALUES ($1, $2, $3, $4, $5)
            """,
            *(app_id, key.id, place, wrapped, key.audit_key),
        )
    for part in manifest.data_keys:
        await db.execute(
            """
            INSERT INTO data_keys (app_id, id, wrapped, created_at, retired_at)
            VALUES ($1, $2, $3, $4::text::timestamptz, $5::text::timestamptz)
            """,
            *(app_id, part.id, wrap(keys, data_key_place(app_id, part.id), unb64(part.key))),
            *(part.created_at, part.retired_at),
        )
