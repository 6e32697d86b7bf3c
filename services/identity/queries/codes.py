"""Statements on email_verification_codes: made, tried, taken once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.address_keys import address_key
from common.db import Db, maybe, run, value


@dataclass(frozen=True)
class Taken:
    """A code or link that was good, and is used now."""

    id: str
    email: str
    """The key of the address."""
    user_id: str | None
    type: str
    payload: dict[str, Any] = field(repr=False)


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    email: str,
    user_id: str | None,
    type: str,
    code_hash: str | None,
    link_hash: str | None,
    browser_hash: str | None,
    payload: dict[str, Any],
    ttl: int,
) -> None:
    await run(
        db,
        """
        INSERT INTO email_verification_codes (app_id, id, email, user_id, type, code_hash,
            link_hash, browser_hash, payload, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10))
        """,
        app_id,
        id,
        address_key(email),
        user_id,
        type,
        code_hash,
        link_hash,
        browser_hash,
        payload,
        ttl,
    )


async def take_code(
    db: Db, *, app_id: str, id: str, types: list[str], code_hashes: list[str]
) -> Taken | None:
    """Take the code of this flow, once; each wrong try counts and the fifth ends it. The caller
    commits whatever the outcome."""
    return await maybe(
        db,
        Taken,
        """
        WITH tried AS (
            UPDATE email_verification_codes SET attempts = attempts + 1,
                used_at = CASE WHEN code_hash = ANY($4::text[]) THEN now() END
            WHERE app_id = $1 AND id = $2 AND type = ANY($3::text[]) AND used_at IS NULL
              AND expires_at > now() AND attempts < max_attempts
            RETURNING id, email, user_id, type, payload, used_at
        )
        SELECT id, email, user_id, type, payload FROM tried WHERE used_at IS NOT NULL
        """,
        app_id,
        id,
        types,
        code_hashes,
    )


async def holder_of_code(
    db: Db, *, app_id: str, id: str, types: list[str], code_hashes: list[str]
) -> str | None:
    """Whose code it is, where `take_code` would take it now."""
    holder: str | None = await value(
        db,
        """
        SELECT user_id::text FROM email_verification_codes
        WHERE app_id = $1 AND id = $2 AND type = ANY($3::text[]) AND used_at IS NULL
          AND expires_at > now() AND attempts < max_attempts AND code_hash = ANY($4::text[])
        """,
        app_id,
        id,
        types,
        code_hashes,
    )
    return holder


async def holder_of_link(
    db: Db,
    *,
    app_id: str,
    types: list[str],
    link_hashes: list[str],
    browser_hashes: list[str] | None,
) -> str | None:
    """Whose link it is, where `take_link` would take it now."""
    holder: str | None = await value(
        db,
        """
        SELECT user_id::text FROM email_verification_codes
        WHERE app_id = $1 AND type = ANY($2::text[]) AND link_hash = ANY($3::text[])
          AND used_at IS NULL AND expires_at > now()
          AND (browser_hash IS NULL OR browser_hash = ANY($4::text[]))
        """,
        app_id,
        types,
        link_hashes,
        browser_hashes or [],
    )
    return holder


async def may_try(db: Db, *, app_id: str, id: str) -> bool:
    """Whether this flow has tries left."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM email_verification_codes
            WHERE app_id = $1 AND id = $2 AND used_at IS NULL AND expires_at > now()
              AND attempts < max_attempts
            """,
            app_id,
            id,
        )
    )


async def pending_sign_up(
    db: Db, *, app_id: str, id: str, browser_hashes: list[str]
) -> dict[str, Any] | None:
    """What was entered in a sign-up of this browser that nobody has finished. Its code may have
    expired."""
    payload: dict[str, Any] | None = await value(
        db,
        """
        SELECT payload FROM email_verification_codes
        WHERE app_id = $1 AND id = $2 AND browser_hash = ANY($3::text[]) AND used_at IS NULL
          AND payload @> '{"sign_up": true}' AND created_at > now() - interval '1 hour'
        """,
        app_id,
        id,
        browser_hashes,
    )
    return payload


async def take_link(
    db: Db,
    *,
    app_id: str,
    types: list[str],
    link_hashes: list[str],
    browser_hashes: list[str] | None,
) -> Taken | None:
    """Take the link, once, and only in the browser that asked where it is bound to one."""
    return await maybe(
        db,
        Taken,
        """
        UPDATE email_verification_codes SET used_at = now()
        WHERE app_id = $1 AND type = ANY($2::text[]) AND link_hash = ANY($3::text[])
          AND used_at IS NULL AND expires_at > now()
          AND (browser_hash IS NULL OR browser_hash = ANY($4::text[]))
        RETURNING id, email, user_id, type, payload
        """,
        app_id,
        types,
        link_hashes,
        browser_hashes or [],
    )


async def link_holds(db: Db, *, app_id: str, types: list[str], link_hashes: list[str]) -> bool:
    """Whether the link is good, in whichever browser."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM email_verification_codes
            WHERE app_id = $1 AND type = ANY($2::text[]) AND link_hash = ANY($3::text[])
              AND used_at IS NULL AND expires_at > now()
            """,
            app_id,
            types,
            link_hashes,
        )
    )


async def end_older(
    db: Db, *, app_id: str, email: str, types: list[str], spare: str | None = None
) -> int:
    """Codes and links of this address and purpose are dead."""
    return await run(
        db,
        """
        UPDATE email_verification_codes SET used_at = now()
        WHERE app_id = $1 AND email = $2 AND type = ANY($3::text[]) AND used_at IS NULL
          AND ($4::uuid IS NULL OR id <> $4)
        """,
        app_id,
        address_key(email),
        types,
        spare,
    )


async def end_of_user(db: Db, *, app_id: str, user_id: str) -> int:
    """No code or link mailed to the user before works any more."""
    return await run(
        db,
        """
        UPDATE email_verification_codes SET used_at = now()
        WHERE app_id = $1 AND user_id = $2 AND used_at IS NULL
        """,
        app_id,
        user_id,
    )


async def owned(db: Db, *, app_id: str, id: str, user_id: str) -> None:
    """Remember who used the owner link, for as long as he is there."""
    await run(
        db,
        """
        UPDATE email_verification_codes
        SET user_id = $3, expires_at = now() + interval '36500 days'
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        user_id,
    )


async def is_owner(db: Db, *, app_id: str, user_id: str) -> bool:
    return bool(
        await value(
            db,
            """
            SELECT true FROM email_verification_codes
            WHERE app_id = $1 AND user_id = $2 AND type = 'owner_link' AND used_at IS NOT NULL
            """,
            app_id,
            user_id,
        )
    )
