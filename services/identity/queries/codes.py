"""Statements on email_verification_codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.address_keys import address_key
from common.db import Db, maybe, run, value


@dataclass(frozen=True)
class ConsumedEmailCode:
    """A code or link that was valid, and is now used."""

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
    """Stores a code and a link."""
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


async def consume_code(
    db: Db, *, app_id: str, id: str, types: list[str], code_hashes: list[str]
) -> ConsumedEmailCode | None:
    """Consumes the code of this flow. Each wrong try counts, and the fifth ends the flow. The
    caller commits whatever the outcome."""
    return await maybe(
        db,
        ConsumedEmailCode,
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
    """Returns the user of the code if `consume_code` would consume it now."""
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
    """Returns the user of the link if `consume_link` would consume it now."""
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


async def has_tries_left(db: Db, *, app_id: str, id: str) -> bool:
    """Returns whether this flow has tries left."""
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
    """Returns what was entered in an unfinished sign-up of this browser. Its code may have
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


async def consume_link(
    db: Db,
    *,
    app_id: str,
    types: list[str],
    link_hashes: list[str],
    browser_hashes: list[str] | None,
) -> ConsumedEmailCode | None:
    """Consumes the link. A link that is bound to a browser is valid only there."""
    return await maybe(
        db,
        ConsumedEmailCode,
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


async def is_link_valid(db: Db, *, app_id: str, types: list[str], link_hashes: list[str]) -> bool:
    """Returns whether the link is valid, in any browser."""
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
    """Ends the codes and links of this address and purpose."""
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
    """Ends every code and link that was mailed to the user."""
    return await run(
        db,
        """
        UPDATE email_verification_codes SET used_at = now()
        WHERE app_id = $1 AND user_id = $2 AND used_at IS NULL
        """,
        app_id,
        user_id,
    )
