"""Statements on known_devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.address_keys import address_key
from common.db import Db, many, run, value


@dataclass(frozen=True)
class Device:
    name: str | None
    first_seen_at: datetime
    last_seen_at: datetime


async def knows_browser(db: Db, *, app_id: str, email: str, device_hashes: list[str]) -> bool:
    """Returns whether the user of this address has signed in from this browser before."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM users u
            JOIN known_devices d ON d.app_id = u.app_id AND d.user_id = u.id
            WHERE u.app_id = $1 AND u.email_normalized = $2 AND d.device_hash = ANY($3::text[])
            LIMIT 1
            """,
            app_id,
            address_key(email),
            device_hashes,
        )
    )


async def remember_browser(
    db: Db, *, app_id: str, user_id: str, device_hash: str, name: str | None
) -> None:
    """Records that the user has used this browser."""
    await run(
        db,
        """
        INSERT INTO known_devices (app_id, user_id, device_hash, name)
        SELECT app_id, id, $3, $4 FROM users WHERE app_id = $1 AND id = $2
        ON CONFLICT (app_id, user_id, device_hash) DO UPDATE SET last_seen_at = now()
        """,
        app_id,
        user_id,
        device_hash,
        name,
    )


async def list_devices(db: Db, *, app_id: str, user_id: str) -> list[Device]:
    """Returns the devices that the user has signed in from, the latest first."""
    return await many(
        db,
        Device,
        """
        SELECT name, first_seen_at, last_seen_at FROM known_devices
        WHERE app_id = $1 AND user_id = $2 ORDER BY last_seen_at DESC LIMIT 200
        """,
        app_id,
        user_id,
    )
