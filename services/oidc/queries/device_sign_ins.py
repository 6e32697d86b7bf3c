"""device_codes, as users and administrators see them: the devices on which a user signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.contracts.device_authorization import DeviceSignIn
from common.db import Db, many, maybe, run
from oidc.queries.conditions import LIVE_FAMILY_SESSION

LIST: Final = f"""
    SELECT d.family_id AS id, d.client_id, c.name AS client_name, d.scopes, d.ip_address, d.user_agent, d.created_at,
           d.decided_at,
           CASE WHEN d.status = 'denied' THEN 'denied'
                WHEN d.used_at IS NULL AND d.expires_at > now() THEN 'approved'
                WHEN EXISTS (SELECT FROM token_families f
                             WHERE f.app_id = $1 AND f.id = d.family_id AND f.revoked_at IS NULL
                               AND f.absolute_expires_at > now() AND {LIVE_FAMILY_SESSION})
                THEN 'signed_in' ELSE 'ended' END AS state
    FROM device_codes d JOIN oauth_clients c ON c.app_id = $1 AND c.client_id = d.client_id
    WHERE d.app_id = $1 AND d.user_id = $2
    ORDER BY d.created_at DESC, d.family_id LIMIT $3
    """


async def list_(db: Db, *, app_id: str, user_id: str, limit: int) -> list[DeviceSignIn]:
    """Lists the devices that the user decided on, the latest first."""
    return await many(db, DeviceSignIn, LIST, app_id, user_id, limit)


@dataclass(frozen=True, slots=True)
class LockedDevice:
    """A device of a user. `approved`: it has not fetched its tokens yet."""

    client_id: str
    device_code_hash: str
    approved: bool


async def lock(db: Db, *, app_id: str, user_id: str, id: str) -> LockedDevice | None:
    """Finds a device of the user, and locks it against a redemption until the transaction ends."""
    return await maybe(
        db,
        LockedDevice,
        """
        SELECT client_id, device_code_hash,
               status = 'approved' AND used_at IS NULL AND expires_at > now() AS approved
        FROM device_codes WHERE app_id = $1 AND user_id = $2 AND family_id = $3
        FOR NO KEY UPDATE
        """,
        app_id,
        user_id,
        id,
    )


async def refuse(db: Db, *, app_id: str, device_code_hash: str) -> None:
    """Takes back the approval of a device that has not fetched its tokens yet."""
    await run(
        db,
        """
        UPDATE device_codes SET status = 'denied'
        WHERE app_id = $1 AND device_code_hash = $2 AND used_at IS NULL
        """,
        app_id,
        device_code_hash,
    )
