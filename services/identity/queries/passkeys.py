"""Statements on passkeys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from common.db import Db, many, maybe, run, value

PASSKEY_COLUMNS: Final = """k.id, k.user_id, k.credential_id, k.public_key, k.rp_id, k.aaguid, k.name,
               k.backed_up, k.last_used_at, k.created_at, u.webauthn_handle"""
"""Of a passkey `k` and its user `u`: the columns of `StoredPasskey`."""


@dataclass(frozen=True)
class StoredPasskey:
    """A passkey. `webauthn_handle` is that of its user."""

    id: str
    user_id: str
    credential_id: bytes
    public_key: bytes = field(repr=False)
    rp_id: str
    aaguid: str | None
    name: str | None
    backed_up: bool
    last_used_at: datetime | None
    created_at: datetime
    webauthn_handle: bytes | None


@dataclass(frozen=True)
class NewPasskey:
    """A passkey to insert."""

    id: str
    user_id: str
    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    rp_id: str
    aaguid: str | None
    transports: list[str]
    backup_eligible: bool
    backed_up: bool
    name: str


async def insert(db: Db, *, app_id: str, new: NewPasskey) -> None:
    """Adds a passkey. Raises UniqueViolationError (passkeys_credential_id_key)."""
    await run(
        db,
        """
        INSERT INTO passkeys (app_id, id, user_id, credential_id, public_key, sign_count, rp_id, aaguid,
            transports, backup_eligible, backed_up, name)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        app_id,
        new.id,
        new.user_id,
        new.credential_id,
        new.public_key,
        new.sign_count,
        new.rp_id,
        new.aaguid,
        new.transports,
        new.backup_eligible,
        new.backed_up,
        new.name,
    )


async def by_credential(db: Db, *, app_id: str, credential_id: bytes) -> StoredPasskey | None:
    """Returns the passkey with this credential id."""
    return await maybe(
        db,
        StoredPasskey,
        f"""
        SELECT {PASSKEY_COLUMNS}
        FROM passkeys k JOIN users u ON u.app_id = k.app_id AND u.id = k.user_id
        WHERE k.app_id = $1 AND k.credential_id = $2
        """,
        app_id,
        credential_id,
    )


async def get(db: Db, *, app_id: str, id: str, user_id: str) -> StoredPasskey | None:
    """Returns a passkey of this user."""
    return await maybe(
        db,
        StoredPasskey,
        f"""
        SELECT {PASSKEY_COLUMNS}
        FROM passkeys k JOIN users u ON u.app_id = k.app_id AND u.id = k.user_id
        WHERE k.app_id = $1 AND k.id = $2 AND k.user_id = $3
        """,
        app_id,
        id,
        user_id,
    )


async def of_user(db: Db, *, app_id: str, user_id: str) -> list[StoredPasskey]:
    """Returns the passkeys of a user, newest first."""
    return await many(
        db,
        StoredPasskey,
        f"""
        SELECT {PASSKEY_COLUMNS}
        FROM passkeys k JOIN users u ON u.app_id = k.app_id AND u.id = k.user_id
        WHERE k.app_id = $1 AND k.user_id = $2
        ORDER BY k.created_at DESC, k.id DESC
        LIMIT 100
        """,
        app_id,
        user_id,
    )


async def record_use(
    db: Db,
    *,
    app_id: str,
    id: str,
    user_id: str,
    sign_count: int,
    backup_eligible: bool,
    backed_up: bool,
) -> bool:
    """Stores what the authenticator states with each signature. Returns False if the counter has not
    grown: 0 after 0 is the only exception (Web Authentication Level 3, section 6.1.1)."""
    return (
        await run(
            db,
            """
            UPDATE passkeys SET sign_count = $4, backup_eligible = $5, backed_up = $6,
                last_used_at = now()
            WHERE app_id = $1 AND id = $2 AND user_id = $3
              AND (sign_count < $4 OR (sign_count = 0 AND $4 = 0))
            """,
            app_id,
            id,
            user_id,
            sign_count,
            backup_eligible,
            backed_up,
        )
        == 1
    )


async def rename(db: Db, *, app_id: str, id: str, user_id: str, name: str) -> bool:
    """Renames a passkey of this user. Returns False if there is none."""
    return (
        await run(
            db,
            "UPDATE passkeys SET name = $4 WHERE app_id = $1 AND id = $2 AND user_id = $3",
            app_id,
            id,
            user_id,
            name,
        )
        == 1
    )


async def delete(db: Db, *, app_id: str, id: str, user_id: str) -> None:
    """Removes a passkey of this user."""
    await run(
        db,
        "DELETE FROM passkeys WHERE app_id = $1 AND id = $2 AND user_id = $3",
        app_id,
        id,
        user_id,
    )


async def ensure_handle(db: Db, *, app_id: str, user_id: str, handle: bytes) -> bytes | None:
    """Returns the user's handle. `handle` becomes theirs if they have none yet. Returns None if there
    is no such user."""
    stored: bytes | None = await value(
        db,
        """
        UPDATE users SET webauthn_handle = coalesce(webauthn_handle, $3)
        WHERE app_id = $1 AND id = $2 RETURNING webauthn_handle
        """,
        app_id,
        user_id,
        handle,
    )
    return stored


async def get_handle(db: Db, *, app_id: str, user_id: str) -> bytes | None:
    """Returns the user's handle, or None if they never had a passkey."""
    handle: bytes | None = await value(
        db,
        "SELECT webauthn_handle FROM users WHERE app_id = $1 AND id = $2",
        app_id,
        user_id,
    )
    return handle


async def hosts_in_use(db: Db, *, app_id: str, rp_ids: list[str]) -> list[str]:
    """Returns those of the hosts for which the application has passkeys."""
    rows: list[str] | None = await value(
        db,
        """
        SELECT array_agg(host.name ORDER BY host.name) FROM unnest($2::text[]) AS host (name)
        WHERE EXISTS (SELECT FROM passkeys k WHERE k.app_id = $1 AND k.rp_id = host.name)
        """,
        app_id,
        rp_ids,
    )
    return rows or []


async def note_offer(db: Db, *, app_id: str, user_id: str) -> None:
    """Records that the user was offered a passkey."""
    await run(
        db,
        """
        UPDATE users SET passkey_offered_at = now()
        WHERE app_id = $1 AND id = $2 AND passkey_offered_at IS NULL
        """,
        app_id,
        user_id,
    )
