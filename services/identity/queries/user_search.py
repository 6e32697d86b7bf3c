"""The search for the users of one address in all applications, as aero2_search."""

from __future__ import annotations

from dataclasses import dataclass

from common.db import Db, many


@dataclass(frozen=True)
class AddressRow:
    """A user of an application who has the address."""

    app_id: str
    id: str
    email_verified: bool
    disabled: bool
    guest: bool


async def by_address(db: Db, *, address: str, limit: int) -> list[AddressRow]:
    """Returns the users with this address key, at most one in each application."""
    return await many(
        db,
        AddressRow,
        """
        -- any-tenant: an operator looks for an address; the search is recorded first
        SELECT app_id::text, id::text, email_verified, disabled, guest
        FROM users WHERE email_normalized = $1 ORDER BY app_id LIMIT $2
        """,
        address,
        limit,
    )
