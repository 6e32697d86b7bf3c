"""Reads the waiting mails of an application's outbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from common.db import Database
from common.sealing import Sealer
from common.testing import context


@dataclass(frozen=True)
class Waiting:
    kind: str
    locale: str
    to: str
    data: dict[str, Any]


async def waiting(
    sql: asyncpg.Connection[asyncpg.Record], db: Database, sealer: Sealer, app_id: str
) -> list[Waiting]:
    """Returns the mails in the order in which they were written."""
    rows = await sql.fetch(
        "SELECT id, kind, locale, sealed FROM mail_outbox WHERE app_id = $1 ORDER BY seq", app_id
    )
    found = []
    async with db.reader(context(app_id)) as bound:
        for row in rows:
            place = ("mail_outbox", "sealed", str(row["id"]))
            plain = orjson.loads(await sealer.open(bound, app_id, place, row["sealed"]))
            found.append(Waiting(row["kind"], row["locale"], plain["to"], plain["data"]))
    return found
