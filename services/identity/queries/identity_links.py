"""Statements on user_identity_links: accounts at providers that are connected to users."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from common.contracts.identities import Identity
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True)
class IdentityLink:
    """A link. (`idp_id`, `iss`, `subject`) is its key, and never an address."""

    id: str
    user_id: str
    idp_id: str
    iss: str
    subject: str


@dataclass(frozen=True)
class NewLink:
    """A link to insert or to refresh, with the account as the provider describes it."""

    id: str
    user_id: str
    idp_id: str
    iss: str
    subject: str
    username: str | None
    email: str | None
    access_token_sealed: str | None = field(repr=False)
    refresh_token_sealed: str | None = field(repr=False)
    token_scopes: list[str]
    token_expires_at: datetime | None


async def by_subject(
    db: Db, *, app_id: str, idp_id: str, iss: str, subject: str
) -> IdentityLink | None:
    """Returns the link of an account at a provider."""
    return await maybe(
        db,
        IdentityLink,
        """
        SELECT id, user_id, idp_id, iss, idp_user_id AS subject FROM user_identity_links
        WHERE app_id = $1 AND idp_id = $2 AND iss = $3 AND idp_user_id = $4
        """,
        app_id,
        idp_id,
        iss,
        subject,
    )


@dataclass(frozen=True)
class LinkedUser:
    """The user of a link, with what decides whether they may be granted tokens."""

    user_id: str
    epoch: int
    disabled: bool
    email_verified: bool


async def find_user(
    db: Db, *, app_id: str, idp_id: str, iss: str, subject: str
) -> LinkedUser | None:
    """Finds the user to whom an account at a provider is connected."""
    return await maybe(
        db,
        LinkedUser,
        """
        SELECT u.id AS user_id, u.epoch, u.disabled, u.email_verified
        FROM user_identity_links l JOIN users u ON u.app_id = $1 AND u.id = l.user_id
        WHERE l.app_id = $1 AND l.idp_id = $2 AND l.iss = $3 AND l.idp_user_id = $4
        """,
        app_id,
        idp_id,
        iss,
        subject,
    )


async def has_of_provider(db: Db, *, app_id: str, user_id: str, idp_id: str) -> bool:
    """Returns whether the user has an account at this provider connected."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM user_identity_links
            WHERE app_id = $1 AND user_id = $2 AND idp_id = $3 LIMIT 1
            """,
            app_id,
            user_id,
            idp_id,
        )
    )


async def insert(db: Db, *, app_id: str, new: NewLink) -> None:
    """Connects an account. Raises UniqueViolationError (user_identity_links_idp_user_key) if it is
    connected to a user."""
    await run(
        db,
        """
        INSERT INTO user_identity_links (app_id, id, user_id, idp_id, iss, idp_user_id, idp_username,
            idp_email, access_token_sealed, refresh_token_sealed, token_scopes, token_expires_at,
            last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now())
        """,
        app_id,
        new.id,
        new.user_id,
        new.idp_id,
        new.iss,
        new.subject,
        new.username,
        new.email,
        new.access_token_sealed,
        new.refresh_token_sealed,
        new.token_scopes,
        new.token_expires_at,
    )


async def refresh(db: Db, *, app_id: str, new: NewLink) -> bool:
    """Records a sign-in: what the provider says now, and its tokens. A refresh token is kept if the
    provider sends none. Returns False if the link is gone or belongs to another user."""
    return (
        await run(
            db,
            """
            UPDATE user_identity_links SET idp_username = $4, idp_email = $5,
                access_token_sealed = $6,
                refresh_token_sealed = coalesce($7, refresh_token_sealed),
                token_scopes = $8, token_expires_at = $9, last_used_at = now()
            WHERE app_id = $1 AND id = $2 AND user_id = $3
            """,
            app_id,
            new.id,
            new.user_id,
            new.username,
            new.email,
            new.access_token_sealed,
            new.refresh_token_sealed,
            new.token_scopes,
            new.token_expires_at,
        )
        == 1
    )


async def list_of_user(db: Db, *, app_id: str, user_id: str) -> list[Identity]:
    """Lists a user's connected accounts, the oldest first."""
    return await many(
        db,
        Identity,
        """
        SELECT l.id, i.name AS provider_name, i.display_name AS provider_display_name,
               l.idp_user_id AS provider_user_id, l.idp_email AS email, l.idp_username AS name,
               l.last_used_at, l.created_at, i.enabled AND i.type = 'oidc' AS can_confirm
        FROM user_identity_links l
        JOIN identity_providers i ON i.app_id = l.app_id AND i.id = l.idp_id
        WHERE l.app_id = $1 AND l.user_id = $2 ORDER BY l.created_at, l.id LIMIT 200
        """,
        app_id,
        user_id,
    )


async def count_of_user(db: Db, *, app_id: str, user_id: str) -> int:
    """Returns how many accounts at providers are connected to the user."""
    count: int = await value(
        db,
        "SELECT count(*) FROM user_identity_links WHERE app_id = $1 AND user_id = $2",
        app_id,
        user_id,
    )
    return count


@dataclass(frozen=True)
class RemovedLink:
    """A link that was removed, with the name of its provider."""

    id: str
    idp_id: str
    iss: str
    subject: str
    provider: str


async def delete(db: Db, *, app_id: str, user_id: str, id: str) -> RemovedLink | None:
    """Disconnects an account from the user. Returns None if the user has no such link."""
    return await maybe(
        db,
        RemovedLink,
        """
        DELETE FROM user_identity_links l USING identity_providers i
        WHERE l.app_id = $1 AND l.user_id = $2 AND l.id = $3
          AND i.app_id = l.app_id AND i.id = l.idp_id
        RETURNING l.id, l.idp_id, l.iss, l.idp_user_id AS subject, i.name AS provider
        """,
        app_id,
        user_id,
        id,
    )


async def delete_all(db: Db, *, app_id: str, user_id: str) -> list[RemovedLink]:
    """Disconnects every account from the user."""
    return await many(
        db,
        RemovedLink,
        """
        DELETE FROM user_identity_links l USING identity_providers i
        WHERE l.app_id = $1 AND l.user_id = $2 AND i.app_id = l.app_id AND i.id = l.idp_id
        RETURNING l.id, l.idp_id, l.iss, l.idp_user_id AS subject, i.name AS provider
        """,
        app_id,
        user_id,
    )
