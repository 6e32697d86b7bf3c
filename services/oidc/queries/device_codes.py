"""device_codes: devices that wait for their user, and those that signed in (RFC 8628).

Three kinds of statements write a row, each its own columns: polls, the decision and the redemption. A poll
can therefore never undo a redemption, and a decision is made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from common.db import Db, maybe, run
from common.sql import numbered


class NewDeviceCode(NamedTuple):
    """A device that asks to be signed in. `family_id` becomes that of its tokens. `lifetime` is in
    seconds."""

    app_id: str
    device_code_hash: str
    user_code_hash: str
    family_id: str
    client_id: str
    client_epoch: int
    scopes: list[str]
    resource: list[str]
    ip_address: str | None
    user_agent: str | None
    poll_interval: int
    lifetime: float


INSERT: Final = numbered(
    """
    INSERT INTO device_codes (app_id, device_code_hash, user_code_hash, family_id, client_id, client_epoch,
                              scopes, resource, ip_address, user_agent, poll_interval, expires_at)
    VALUES (:app_id, :device_code_hash, :user_code_hash, :family_id, :client_id, :client_epoch,
            :scopes, :resource, :ip_address, :user_agent, :poll_interval,
            now() + make_interval(secs => :lifetime))
    ON CONFLICT (user_code_hash, app_id) DO NOTHING
    """,
    NewDeviceCode,
)


async def insert(db: Db, device: NewDeviceCode) -> bool:
    """Stores a device that waits. Returns False if its user code is taken."""
    return await run(db, INSERT, *device) == 1


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A device, and the state of its request. `live`: neither expired nor used."""

    device_code_hash: str
    id: str
    client_id: str
    scopes: list[str]
    resource: list[str]
    status: str
    session_id: str | None
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    live: bool


COLUMNS: Final = """
    d.device_code_hash, d.family_id AS id, d.client_id, d.scopes, d.resource, d.status, d.session_id, d.ip_address,
    d.user_agent, d.created_at, d.expires_at, d.expires_at > now() AND d.used_at IS NULL AS live"""


FIND_BY_USER_CODE: Final = f"""
    SELECT {COLUMNS} FROM device_codes d
    WHERE d.app_id = $1 AND d.user_code_hash = ANY ($2) AND d.status = 'pending' AND d.expires_at > now()
    ORDER BY d.created_at DESC LIMIT 1
    """


async def find_by_user_code(
    db: Db, *, app_id: str, user_code_hashes: list[str]
) -> DeviceCode | None:
    """Finds the device that waits for a decision under this user code."""
    return await maybe(db, DeviceCode, FIND_BY_USER_CODE, app_id, user_code_hashes)


FIND: Final = (
    f"SELECT {COLUMNS} FROM device_codes d WHERE d.app_id = $1 AND d.device_code_hash = $2"
)


async def find(db: Db, *, app_id: str, device_code_hash: str) -> DeviceCode | None:
    """Finds a device in any state."""
    return await maybe(db, DeviceCode, FIND, app_id, device_code_hash)


class Approval(NamedTuple):
    """The approval of a user: the columns from which the device's tokens are issued."""

    app_id: str
    device_code_hash: str
    user_id: str
    user_epoch: int
    session_id: str
    scopes: list[str]
    resource: list[str]
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    revocations: list[str]


APPROVE: Final = numbered(
    """
    UPDATE device_codes
    SET status = 'approved', user_id = :user_id, user_epoch = :user_epoch, session_id = :session_id,
        scopes = :scopes, resource = :resource, auth_time = :auth_time, acr = :acr, amr = :amr,
        org_id = :org_id, revocations = :revocations, decided_at = now()
    WHERE app_id = :app_id AND device_code_hash = :device_code_hash AND status = 'pending'
      AND expires_at > now()
    """,
    Approval,
)


async def approve(db: Db, approval: Approval) -> bool:
    """Approves a device that waits. Returns False if it was decided before, or has expired."""
    return await run(db, APPROVE, *approval) == 1


async def deny(
    db: Db, *, app_id: str, device_code_hash: str, user_id: str, session_id: str
) -> bool:
    """Denies a device that waits. Returns False if it was decided before, or has expired."""
    return (
        await run(
            db,
            """
        UPDATE device_codes
        SET status = 'denied', user_id = $3, session_id = $4, decided_at = now()
        WHERE app_id = $1 AND device_code_hash = $2 AND status = 'pending' AND expires_at > now()
        """,
            app_id,
            device_code_hash,
            user_id,
            session_id,
        )
        == 1
    )


@dataclass(frozen=True, slots=True)
class Poll:
    """The state of a device code when it was presented. The fields of the user are None until one has
    decided."""

    device_code_hash: str
    id: str
    status: str
    used: bool
    expired: bool
    too_fast: bool
    client_epoch: int
    user_id: str | None
    user_epoch: int | None
    session_id: str | None
    scopes: list[str]
    resource: list[str]
    auth_time: datetime | None
    acr: str | None
    amr: list[str]
    org_id: str | None
    revocations: list[str]
    cnf: dict[str, Any] | None
    authorization_details: list[dict[str, Any]] | None


EARLY: Final = 1.0
"""Seconds that a poll may come early: two requests of one client take different times on their way."""
SLOWER: Final = 5
"""Seconds that the interval grows by with `slow_down` (RFC 8628 section 3.5)."""
LONGEST: Final = 600
"""Seconds. The interval grows no further."""


async def poll(
    db: Db, *, app_id: str, device_code_hashes: list[str], client_id: str
) -> Poll | None:
    """Notes that a client has presented its device code, and returns the state of it. Returns None if
    the client has no such code."""
    return await maybe(
        db,
        Poll,
        """
        UPDATE device_codes d
        SET last_polled_at = now(),
            too_fast = coalesce(now() < d.last_polled_at
                + make_interval(secs => d.poll_interval - $4::float8), false),
            poll_interval = CASE
                WHEN now() < d.last_polled_at + make_interval(secs => d.poll_interval - $4::float8)
                THEN least(d.poll_interval + $5, $6) ELSE d.poll_interval END
        WHERE d.app_id = $1 AND d.device_code_hash = ANY ($2)
          AND d.client_id IS NOT DISTINCT FROM $3  -- no index serves this: see docs/adr/0004
        RETURNING d.device_code_hash, d.family_id AS id, d.status, d.used_at IS NOT NULL AS used,
                  d.expires_at <= now() AS expired, d.too_fast, d.client_epoch, d.user_id, d.user_epoch,
                  d.session_id, d.scopes, d.resource, d.auth_time, d.acr, d.amr, d.org_id, d.revocations,
                  d.cnf, d.authorization_details
        """,
        app_id,
        device_code_hashes,
        client_id,
        EARLY,
        SLOWER,
        LONGEST,
    )
