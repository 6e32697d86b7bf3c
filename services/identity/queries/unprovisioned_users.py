"""Statements that find users without what new users get, as aero2_sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.db import Db, many
from common.keyset import LOWEST_ID

PAGE: Final = 200
"""Users; the statement's LIMIT."""


@dataclass(frozen=True)
class UnprovisionedUser:
    app_id: str
    id: str


async def page(db: Db, *, after: UnprovisionedUser | None) -> list[UnprovisionedUser]:
    """Returns users who are at least a minute old: the request that creates a user also provisions
    them."""
    return await many(
        db,
        UnprovisionedUser,
        """
        -- any-tenant: users of every application who still lack what new users get
        SELECT app_id::text, id::text FROM users
        WHERE provisioned_at IS NULL AND created_at < now() - interval '1 minute'
          AND (app_id, id) > ($1::uuid, $2::uuid)
        ORDER BY app_id, id LIMIT 200
        """,
        after.app_id if after else LOWEST_ID,
        after.id if after else LOWEST_ID,
    )
