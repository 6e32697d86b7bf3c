"""A database with rows of an application, and a folder for its backups."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio
from tests.kit.postgres import Postgres

from aero2.backups.backup import Backup
from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.backups.restore import Restore, read_and_verify
from common.context import system_context
from common.crypto import Keys
from common.db import Database
from common.ids import new_id
from common.master_keys import recognize
from common.sealing import Sealer

PASSPHRASE = "correct horse battery staple"
PLACE = ("totp_factors", "secret_sealed", "1")


def master(id: str) -> str:
    """Returns a new master key."""
    return f"{id}:{base64.b64encode(os.urandom(32)).decode()}"


class Said(Reporter):
    """Keeps what would be shown."""

    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


@dataclass
class Original:
    """A database with an application, a user and a sealed value."""

    dsns: dict[str, str]
    owner: asyncpg.Connection[asyncpg.Record]
    folder: Path
    app_id: str = field(default_factory=new_id)
    user_id: str = field(default_factory=new_id)
    master_key: str = field(default_factory=lambda: master("k1"))

    @property
    def secrets(self) -> dict[str, Any]:
        return {"environment": {"AERO2_MASTER_KEY": self.master_key}}

    async def fill(self) -> None:
        """Inserts the rows, as services would."""
        await self.owner.execute(
            "INSERT INTO applications (id, slug, name, state) VALUES ($1, 'shop', 'Shop', 'active')",
            self.app_id,
        )
        await self.owner.execute(
            "INSERT INTO users (app_id, id, email, email_normalized) "
            "VALUES ($1, $2, 'ada@example.com', 'ada@example.com')",
            self.app_id,
            self.user_id,
        )
        db = await Database.connect(self.dsns["identity"], name="identity", size=1)
        try:
            keys = await recognize(db, Keys.parse(self.master_key))
            async with db.transaction(system_context(self.app_id)) as tx:
                sealed = await Sealer(keys).seal(tx, self.app_id, PLACE, b"seed")
        finally:
            await db.close()
        await self.owner.execute(
            "INSERT INTO totp_factors (app_id, id, user_id, secret_sealed, confirmed_at) "
            "VALUES ($1, $2, $3, $4, now())",
            self.app_id,
            new_id(),
            self.user_id,
            sealed,
        )

    async def backup(self, name: str = "monday", **changes: Any) -> Manifest:
        """Writes a backup with the name."""
        work: dict[str, Any] = {
            "dsn": self.dsns["owner"],
            "target": self.folder / name,
            "secrets": self.secrets,
            "passphrase": PASSPHRASE,
        }
        return await Backup(**(work | changes)).run(Said())


async def restore(dsn: str, backup: Path, master_key: str, **changes: Any) -> dict[str, int]:
    """Restores a backup into the database. Returns what ended."""
    said = Said()
    described = await read_and_verify(backup, said)
    work = Restore(backup, dsn, Keys.parse(master_key), {}, **changes)
    return await work.run(described, said)


@pytest_asyncio.fixture
async def empty(postgres: Postgres) -> AsyncIterator[dict[str, str]]:
    """An empty database, by role."""
    name = postgres.create("restored")
    yield postgres.dsns(name)
    postgres.drop(name)


@pytest_asyncio.fixture
async def original(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Original]:
    """A filled database."""
    name = postgres.clone()
    owner = await asyncpg.connect(postgres.dsn("owner", name))
    made = Original(postgres.dsns(name), owner, tmp_path)
    await made.fill()
    yield made
    await owner.close()
    postgres.drop(name)
