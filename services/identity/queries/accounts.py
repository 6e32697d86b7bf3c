"""Statements on users and passwords, as signing in needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from common.address_keys import address_key
from common.db import Db, defer, maybe, run, value

ACCOUNT_COLUMNS: Final = """u.id, u.email, u.email_verified, u.name, u.picture, u.locale, u.zoneinfo,
               u.disabled, u.guest, u.provisioned_at, p.phc, p.must_change"""
"""Of a user `u` and their password `p`: the columns of `Account`."""


@dataclass(frozen=True)
class Account:
    """A user with what decides whether they may sign in."""

    id: str
    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    locale: str | None
    zoneinfo: str | None
    disabled: bool
    guest: bool
    provisioned_at: datetime | None
    phc: str | None = field(repr=False)
    must_change: bool | None


async def by_email(db: Db, *, app_id: str, email: str) -> Account | None:
    """Returns the account of an address."""
    return await maybe(
        db,
        Account,
        f"""
        SELECT {ACCOUNT_COLUMNS}
        FROM users u
        LEFT JOIN passwords p ON p.app_id = u.app_id AND p.user_id = u.id
        WHERE u.app_id = $1 AND u.email_normalized = $2
        """,
        app_id,
        address_key(email),
    )


async def by_id(db: Db, *, app_id: str, id: str) -> Account | None:
    """Returns the account of a user."""
    return await maybe(
        db,
        Account,
        f"""
        SELECT {ACCOUNT_COLUMNS}
        FROM users u
        LEFT JOIN passwords p ON p.app_id = u.app_id AND p.user_id = u.id
        WHERE u.app_id = $1 AND u.id = $2
        """,
        app_id,
        id,
    )


async def record_sign_in(db: Db, *, app_id: str, id: str) -> None:
    """Records the complete sign-in of a user whose row is locked, with the next statement of the
    transaction."""
    await defer(
        db,
        "UPDATE users SET last_sign_in_at = now() WHERE app_id = $1 AND id = $2 AND NOT disabled",
        app_id,
        id,
    )


async def record_proof(db: Db, *, app_id: str, id: str, email: str) -> bool | None:
    """Records that a user whose row is locked has proven an address. Returns True if it is theirs and has
    just become verified, and None if the user is disabled or missing."""
    verified: bool | None = await value(
        db,
        """
        WITH before AS (SELECT email_verified FROM users WHERE app_id = $1 AND id = $2)
        UPDATE users u SET email_verified = u.email_verified OR coalesce(u.email_normalized = $3, false)
        FROM before b
        WHERE u.app_id = $1 AND u.id = $2 AND NOT u.disabled
        RETURNING u.email_verified AND NOT b.email_verified
        """,
        app_id,
        id,
        address_key(email),
    )
    return verified


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    email: str | None,
    email_verified: bool,
    name: str | None,
    locale: str | None,
) -> None:
    """Creates a user. Raises UniqueViolationError (users_app_id_email_key)."""
    await run(
        db,
        """
        INSERT INTO users (app_id, id, email, email_verified, name, locale, email_normalized)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        app_id,
        id,
        email,
        email_verified,
        name,
        locale,
        None if email is None else address_key(email),
    )


async def mark_provisioned(db: Db, *, app_id: str, id: str) -> None:
    """Records that the user has what new users get."""
    await run(
        db, "UPDATE users SET provisioned_at = now() WHERE app_id = $1 AND id = $2", app_id, id
    )


async def mark_unprovisioned(db: Db, *, app_id: str, id: str) -> None:
    """Records that the user may lack something: a newly verified address may belong to an
    organization. It is committed together with the address."""
    await run(
        db, "UPDATE users SET provisioned_at = NULL WHERE app_id = $1 AND id = $2", app_id, id
    )


async def lock(db: Db, *, app_id: str, id: str) -> bool:
    """Locks the user's row against sign-ins and changes until the transaction ends. Returns False
    if there is no such user."""
    return bool(
        await value(
            db,
            "SELECT true FROM users WHERE app_id = $1 AND id = $2 FOR NO KEY UPDATE",
            app_id,
            id,
        )
    )


async def raise_factor_epoch(db: Db, *, app_id: str, user_id: str) -> None:
    """Ends the half sessions and the remembered devices of a user. It is called in the transaction
    that changes a password, a factor or an address of the user."""
    await run(
        db,
        """
        UPDATE users SET factor_epoch = factor_epoch + 1 WHERE app_id = $1 AND id = $2
        """,
        app_id,
        user_id,
    )


async def has_password_hash(db: Db, *, app_id: str, id: str, phc: str | None) -> bool:
    """Returns whether this is still the hash of the user's password (None: no password). It is
    called after `lock`, in a statement of its own, so that it sees what was committed before the
    lock."""
    return bool(
        await value(
            db,
            """
            SELECT (SELECT phc FROM passwords WHERE app_id = $1 AND user_id = $2)
                IS NOT DISTINCT FROM $3::text
            """,
            app_id,
            id,
            phc,
        )
    )


async def set_password(db: Db, *, app_id: str, user_id: str, phc: str) -> None:
    """Sets or replaces the user's password."""
    await run(
        db,
        """
        INSERT INTO passwords (app_id, user_id, phc) VALUES ($1, $2, $3)
        ON CONFLICT (app_id, user_id) DO UPDATE
        SET phc = excluded.phc, must_change = false, breached = false, changed_at = now()
        """,
        app_id,
        user_id,
        phc,
    )


async def rehash(db: Db, *, app_id: str, user_id: str, old: str, new: str) -> bool:
    """Replaces the hash of the same password by ours. Returns False if the password was changed in
    the meantime."""
    return (
        await run(
            db,
            """
            UPDATE passwords SET phc = $4 WHERE app_id = $1 AND user_id = $2 AND phc = $3
            """,
            app_id,
            user_id,
            old,
            new,
        )
        == 1
    )


async def must_change_password(db: Db, *, app_id: str, user_id: str) -> bool:
    """Requires a new password. Returns False if the user has none."""
    return (
        await run(
            db,
            "UPDATE passwords SET must_change = true WHERE app_id = $1 AND user_id = $2",
            app_id,
            user_id,
        )
        == 1
    )
