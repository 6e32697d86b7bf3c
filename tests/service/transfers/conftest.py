"""Two databases, each of a deployment with its own master key, and an application on its way."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio
from tests.kit.postgres import Postgres
from tests.service.backups.conftest import Said
from tests.service.db.rows import fill, fill_empty_columns

from aero2.app_tables import app_tables
from aero2.transfers import contents
from aero2.transfers.arrival import Import, Imported
from aero2.transfers.export import Export, Exported
from aero2.transfers.transfer_key import TransferKey
from common.context import system_context
from common.crypto import Keys
from common.db import Database
from common.ids import new_id
from common.master_keys import recognize
from common.sealing import Sealer

SLUG = "shop"
PLACE = ("totp_factors", "secret_sealed", "1")


def master(id: str) -> Keys:
    """Returns a new master key."""
    return Keys.parse(f"{id}:{base64.b64encode(os.urandom(32)).decode()}")


@dataclass
class Deployment:
    """A database that services have started on, with these keys."""

    dsns: dict[str, str]
    owner: asyncpg.Connection[asyncpg.Record]
    configured: Keys
    keys: Keys

    @classmethod
    async def start(cls, dsns: dict[str, str], configured: Keys) -> Deployment:
        owner = await asyncpg.connect(dsns["owner"])
        made = cls(dsns, owner, configured, configured)
        await made.restart()
        return made

    async def restart(self) -> Keys:
        """Returns the keys of services that start now."""
        async with self._identity() as db:
            self.keys = await recognize(db, self.configured)
        return self.keys

    async def seal(self, app_id: str, plain: bytes) -> str:
        """Returns a value that is sealed for the application."""
        async with self._identity() as db, db.transaction(system_context(app_id)) as tx:
            return await Sealer(self.keys).seal(tx, app_id, PLACE, plain)

    async def open(self, app_id: str, sealed: str) -> bytes:
        """Returns what was sealed."""
        async with self._identity() as db, db.reader(system_context(app_id)) as reader:
            return await Sealer(self.keys).open(reader, app_id, PLACE, sealed)

    @asynccontextmanager
    async def _identity(self) -> AsyncIterator[Database]:
        """Yields the database as identity sees it."""
        db = await Database.connect(self.dsns["identity"], name="identity", size=1)
        try:
            yield db
        finally:
            await db.close()

    async def filled_application(self) -> str:
        """Returns the id of an application with a row in every table, and a value in every column."""
        app_id = new_id()
        await self.owner.execute(
            "INSERT INTO applications (id, slug, name, state) VALUES ($1, $2, 'Shop', 'active')",
            *(app_id, SLUG),
        )
        await fill(self.owner, app_id)
        await self.owner.execute("DELETE FROM data_keys; DELETE FROM imported_keys")
        sealed = await self.seal(app_id, b"seed")
        await self.owner.execute("UPDATE totp_factors SET secret_sealed = $1", sealed)
        await fill_empty_columns(self.owner)
        await self.owner.execute("""
            UPDATE user_sessions SET actor_id = NULL, actor_app_id = NULL, actor_session = NULL, actor_reason = NULL;
            UPDATE application_api_keys SET created_by = NULL, rotated_to = NULL, revoked_at = NULL;
            UPDATE custom_domains SET cf_custom_hostname_id = NULL, certificate_status = NULL;
            UPDATE applications SET owner_org_id = NULL, custom_domain = NULL, closed = NULL, closed_at = NULL;
            UPDATE data_keys SET retired_at = NULL;
            UPDATE organizations SET slug = 'team-' || slug, request_key = 'r-' || id;
            UPDATE user_batches SET state = 'done'
        """)
        return app_id

    async def rows(self, app_id: str) -> dict[str, list[tuple[Any, ...]]]:
        """Returns the application's rows of each table that goes along, as text."""
        tables = contents.travelling_tables(await app_tables(self.owner))
        async with self.owner.transaction():
            await self.owner.execute(contents.TEXT_FORMS)
            return {
                table.name: [
                    tuple(row) for row in await self.owner.fetch(contents.select(table), app_id)
                ]
                for table in tables
            }

    async def export(self, target: Path, to: Deployment, **changes: Any) -> Exported:
        key = TransferKey.of(to.configured)
        work = Export(self.dsns["owner"], SLUG, target, key, self.configured, **changes)
        return await work.run(Said())

    async def take_in(self, file: Path, **changes: Any) -> Imported:
        options = {"accept_domains": True, "accept_audit_faults": True} | changes
        return await Import(self.dsns["owner"], file, self.configured, **options).run(Said())

    async def everything(self) -> dict[str, int]:
        """Returns the number of rows of each table, with keys and functions: what an import could change."""
        tables = await self.owner.fetch("""
            SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
              AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
        """)
        return {
            name: await self.owner.fetchval(f"SELECT count(*) FROM {name}") for (name,) in tables
        }


@pytest_asyncio.fixture
async def source(postgres: Postgres) -> AsyncIterator[Deployment]:
    """The deployment that the application leaves."""
    name = postgres.clone()
    made = await Deployment.start(postgres.dsns(name), master("ksource"))
    yield made
    await made.owner.close()
    postgres.drop(name)


@pytest_asyncio.fixture
async def target(postgres: Postgres) -> AsyncIterator[Deployment]:
    """The deployment that it goes to."""
    name = postgres.clone()
    made = await Deployment.start(postgres.dsns(name), master("ktarget"))
    yield made
    await made.owner.close()
    postgres.drop(name)
