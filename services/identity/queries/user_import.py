"""Statements on many users at once."""

from __future__ import annotations

from typing import Any

from common import keyset
from common.contracts.user_import import TransferredUser
from common.db import Db, many


async def insert(db: Db, *, app_id: str, rows: list[dict[str, Any]]) -> set[int]:
    """Creates the users that do not exist yet, by address or id, with their hashes. Earlier lines
    come first. No two rows have the same id and address. Returns the `line` of each new user."""
    created_rows = await db.fetch(
        """
        WITH given AS (
            SELECT g.line, g.id, g.email, g.email_verified, g.name, g.given_name, g.family_name,
                g.middle_name, g.nickname, g.preferred_username, g.profile, g.picture, g.website,
                g.gender, g.birthdate, g.zoneinfo, g.locale, g.phone_number,
                g.phone_number_verified, g.address, g.public_metadata, g.private_metadata,
                g.user_metadata, g.disabled, g.created_at, g.phc, g.email_normalized
            FROM jsonb_to_recordset($2::jsonb) AS g (
                line integer, id uuid, email text, email_verified boolean, name text, given_name text,
                family_name text, middle_name text, nickname text, preferred_username text,
                profile text, picture text, website text, gender text, birthdate text,
                zoneinfo text, locale text, phone_number text, phone_number_verified boolean,
                address jsonb, public_metadata jsonb, private_metadata jsonb, user_metadata jsonb,
                disabled boolean, created_at timestamptz, phc text,
                email_normalized text)
        ), made AS (
            INSERT INTO users (app_id, id, email, email_verified, name, given_name, family_name,
                middle_name, nickname, preferred_username, profile, picture, website, gender,
                birthdate, zoneinfo, locale, phone_number, phone_number_verified, address,
                public_metadata, private_metadata, user_metadata, disabled, created_at,
                email_normalized)
            SELECT $1, id, email, email_verified, name, given_name, family_name, middle_name,
                nickname, preferred_username, profile, picture, website, gender, birthdate, zoneinfo,
                locale, phone_number, phone_number_verified, nullif(address, 'null'),
                public_metadata, private_metadata, user_metadata, disabled, created_at,
                email_normalized
            FROM given
            ORDER BY line
            ON CONFLICT DO NOTHING
            RETURNING id, email
        ), created AS (
            SELECT g.line, g.id, g.phc
            FROM given g JOIN made m ON m.id = g.id AND m.email IS NOT DISTINCT FROM g.email
        ), hashed AS (
            INSERT INTO passwords (app_id, user_id, phc)
            SELECT $1, id, phc FROM created WHERE phc IS NOT NULL
        )
        SELECT line FROM created
        """,
        app_id,
        rows,
    )
    return {row["line"] for row in created_rows}


async def page(
    db: Db, *, app_id: str, after: str | None, after_id: str | None, limit: int, hashes: bool
) -> list[TransferredUser]:
    """Returns users with their hashes, the oldest first."""
    return await many(
        db,
        TransferredUser,
        """
        SELECT u.id, u.email, u.email_verified, u.name, u.given_name, u.family_name, u.middle_name,
               u.nickname, u.preferred_username, u.profile, u.picture, u.website, u.gender,
               u.birthdate, u.zoneinfo, u.locale, u.phone_number, u.phone_number_verified,
               u.address, u.public_metadata, u.private_metadata, u.user_metadata, u.disabled,
               u.created_at, p.phc AS password_hash
        FROM users u
        LEFT JOIN passwords p ON p.app_id = $1 AND p.user_id = u.id AND $5::boolean
        WHERE u.app_id = $1 AND (u.created_at, u.id) > ($2::timestamptz, $3::uuid)
        ORDER BY u.created_at, u.id LIMIT $4
        """,
        app_id,
        *keyset.forward(after, after_id),
        limit,
        hashes,
    )
