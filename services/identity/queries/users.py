"""Statements on users, as administrators and users themselves see them."""

from __future__ import annotations

from typing import Any, Final

from common.address_keys import address_key
from common.contracts.profiles import User
from common.db import Db, many, maybe, run, value

OWN_COLUMNS: Final = """u.id, u.email, u.email_verified, u.name, u.given_name, u.family_name, u.middle_name,
               u.nickname, u.preferred_username, u.profile, u.picture, u.website, u.gender,
               u.birthdate, u.zoneinfo, u.locale, u.phone_number, u.phone_number_verified,
               u.address, u.public_metadata, u.user_metadata, u.private_metadata, u.disabled,
               u.guest, u.last_sign_in_at, u.created_at, u.updated_at"""
"""Of a user `u`: the columns of `User` in its own table."""
USER_COLUMNS: Final = f"""{OWN_COLUMNS},
               EXISTS (SELECT FROM passwords p WHERE p.app_id = $1 AND p.user_id = u.id)
                   AS has_password"""
"""Of a user `u` of the application `$1`: the columns of `User`."""


async def get(db: Db, *, app_id: str, id: str, teams: list[str] | None = None) -> User | None:
    """Returns a user. With `teams`, only a member of one of these organizations."""
    return await maybe(
        db,
        User,
        f"""
        SELECT {USER_COLUMNS}
        FROM users u WHERE u.app_id = $1 AND u.id = $2
          AND ($3::uuid[] IS NULL OR u.id IN (
              SELECT m.user_id FROM organization_members m
              WHERE m.app_id = $1 AND m.org_id = ANY ($3)
          ))
        """,
        app_id,
        id,
        teams,
    )


async def get_by_email(
    db: Db, *, app_id: str, email: str, teams: list[str] | None = None
) -> User | None:
    """Returns the user of an address. With `teams`, only a member of one of these organizations."""
    return await maybe(
        db,
        User,
        f"""
        SELECT {USER_COLUMNS}
        FROM users u WHERE u.app_id = $1 AND u.email_normalized = $2
          AND ($3::uuid[] IS NULL OR u.id IN (
              SELECT m.user_id FROM organization_members m
              WHERE m.app_id = $1 AND m.org_id = ANY ($3)
          ))
        """,
        app_id,
        address_key(email),
        teams,
    )


async def of_ids(db: Db, *, app_id: str, ids: list[str]) -> list[User]:
    """Returns the users with these ids, in no order.

    Neighbours share the pages of both keys: a look-up for each user would go down the tree each time.
    """
    return await many(
        db,
        User,
        f"""
        SELECT {OWN_COLUMNS}, u.id = ANY(ARRAY(
            SELECT p.user_id FROM passwords p WHERE p.app_id = $1 AND p.user_id = ANY($2::uuid[])
        )) AS has_password
        FROM users u WHERE u.app_id = $1 AND u.id = ANY($2::uuid[])
        """,
        app_id,
        ids,
    )


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    email: str | None,
    email_verified: bool,
    public_metadata: dict[str, Any],
    private_metadata: dict[str, Any],
    user_metadata: dict[str, Any],
) -> None:
    """Creates a user. Raises UniqueViolationError (users_app_id_email_key)."""
    await run(
        db,
        """
        INSERT INTO users (app_id, id, email, email_verified, public_metadata, private_metadata,
                           user_metadata, email_normalized)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        app_id,
        id,
        email,
        email_verified,
        public_metadata,
        private_metadata,
        user_metadata,
        None if email is None else address_key(email),
    )


async def update(db: Db, *, app_id: str, id: str, changes: dict[str, Any]) -> bool:
    """Sets the columns that `changes` names; JSON null clears. Raises UniqueViolationError
    (users_app_id_email_key)."""
    if "email" in changes:
        email = changes["email"]
        changes = {**changes, "email_normalized": None if email is None else address_key(email)}
    touched = await run(
        db,
        """
        UPDATE users SET
            name = CASE WHEN $3 ? 'name' THEN $3->>'name' ELSE name END,
            given_name = CASE WHEN $3 ? 'given_name' THEN $3->>'given_name' ELSE given_name END,
            family_name = CASE WHEN $3 ? 'family_name' THEN $3->>'family_name' ELSE family_name END,
            middle_name = CASE WHEN $3 ? 'middle_name' THEN $3->>'middle_name' ELSE middle_name END,
            nickname = CASE WHEN $3 ? 'nickname' THEN $3->>'nickname' ELSE nickname END,
            preferred_username = CASE WHEN $3 ? 'preferred_username' THEN $3->>'preferred_username' ELSE preferred_username END,
            profile = CASE WHEN $3 ? 'profile' THEN $3->>'profile' ELSE profile END,
            picture = CASE WHEN $3 ? 'picture' THEN $3->>'picture' ELSE picture END,
            website = CASE WHEN $3 ? 'website' THEN $3->>'website' ELSE website END,
            gender = CASE WHEN $3 ? 'gender' THEN $3->>'gender' ELSE gender END,
            birthdate = CASE WHEN $3 ? 'birthdate' THEN $3->>'birthdate' ELSE birthdate END,
            zoneinfo = CASE WHEN $3 ? 'zoneinfo' THEN $3->>'zoneinfo' ELSE zoneinfo END,
            locale = CASE WHEN $3 ? 'locale' THEN $3->>'locale' ELSE locale END,
            phone_number = CASE WHEN $3 ? 'phone_number' THEN $3->>'phone_number' ELSE phone_number END,
            email = CASE WHEN $3 ? 'email' THEN $3->>'email' ELSE email END,
            email_normalized = CASE WHEN $3 ? 'email' THEN $3->>'email_normalized' ELSE email_normalized END,
            email_verified = CASE
                WHEN $3 ? 'email_verified' THEN ($3->>'email_verified')::boolean
                WHEN $3 ? 'email' AND $3->>'email_normalized' IS DISTINCT FROM email_normalized THEN false
                ELSE email_verified END,
            phone_number_verified = CASE
                WHEN $3 ? 'phone_number_verified' THEN ($3->>'phone_number_verified')::boolean
                WHEN $3 ? 'phone_number' AND $3->>'phone_number' IS DISTINCT FROM phone_number
                THEN false ELSE phone_number_verified END,
            address = CASE WHEN $3 ? 'address' THEN nullif($3->'address', 'null') ELSE address END,
            public_metadata = coalesce(nullif($3->'public_metadata', 'null'), public_metadata),
            private_metadata = coalesce(nullif($3->'private_metadata', 'null'), private_metadata),
            user_metadata = coalesce(nullif($3->'user_metadata', 'null'), user_metadata),
            updated_at = now()
        WHERE app_id = $1 AND id = $2
        """,
        app_id,
        id,
        changes,
    )
    return touched == 1


async def set_disabled(db: Db, *, app_id: str, id: str, disabled: bool) -> bool | None:
    """Disables or enables a user. Returns whether they were disabled before, or None if there is no
    such user. Disabling raises the epoch, so that every earlier token ends."""
    was_disabled: bool | None = await value(
        db,
        """
        WITH before AS (
            SELECT disabled FROM users WHERE app_id = $1 AND id = $2 FOR NO KEY UPDATE
        )
        UPDATE users u SET disabled = $3, updated_at = now(),
            epoch = u.epoch + CASE WHEN $3 THEN 1 ELSE 0 END
        FROM before b WHERE u.app_id = $1 AND u.id = $2
        RETURNING b.disabled
        """,
        app_id,
        id,
        disabled,
    )
    return was_disabled


async def delete(db: Db, *, app_id: str, id: str) -> bool:
    """Deletes a user. Returns False if there is none."""
    return await run(db, "DELETE FROM users WHERE app_id = $1 AND id = $2", app_id, id) == 1
