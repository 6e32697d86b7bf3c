"""consents: which scopes and resources users allowed clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common import keyset
from common.db import Db, many, maybe, run, value


@dataclass(frozen=True, slots=True)
class Consent:
    """The scopes and resources that a user has allowed a client."""

    scopes: list[str]
    resources: list[str]


async def find(db: Db, *, app_id: str, user_id: str, client_id: str) -> Consent | None:
    """Finds what the user has allowed the client."""
    return await maybe(
        db,
        Consent,
        """
        SELECT scopes, resources FROM consents
        WHERE app_id = $1 AND user_id = $2 AND client_id = $3
        """,
        app_id,
        user_id,
        client_id,
    )


async def add(
    db: Db, *, app_id: str, user_id: str, client_id: str, scopes: list[str], resources: list[str]
) -> None:
    """Adds scopes and resources to those that the user allowed before."""
    await run(
        db,
        """
        INSERT INTO consents (app_id, user_id, client_id, scopes, resources)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (app_id, user_id, client_id) DO UPDATE SET
            scopes = ARRAY(SELECT DISTINCT unnest(consents.scopes || excluded.scopes) ORDER BY 1),
            resources =
                ARRAY(SELECT DISTINCT unnest(consents.resources || excluded.resources) ORDER BY 1),
            updated_at = now()
        """,
        app_id,
        user_id,
        client_id,
        scopes,
        resources,
    )


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A consent with its client's name. `email` and `name` of the user are None in their own list."""

    user_id: str
    client_id: str
    client_name: str
    scopes: list[str]
    email: str | None
    name: str | None
    created_at: datetime
    updated_at: datetime
    source: str
    redirect_uris: list[str]


async def page_of_client(
    db: Db,
    *,
    app_id: str,
    client_id: str,
    after: datetime | None,
    after_id: str | None,
    limit: int,
) -> list[ConsentRow]:
    """Lists the client's consents by creation time, from the position after `after` and `after_id`."""
    return await many(
        db,
        ConsentRow,
        """
        SELECT g.user_id, g.client_id, c.name AS client_name, g.scopes, u.email, u.name,
               g.created_at, g.updated_at, c.source, c.redirect_uris
        FROM consents g
        JOIN oauth_clients c ON c.app_id = $1 AND c.client_id = g.client_id
        JOIN users u ON u.app_id = $1 AND u.id = g.user_id
        WHERE g.app_id = $1 AND g.client_id = $2
          AND (g.created_at, g.user_id) > ($3::timestamptz, $4::uuid)
        ORDER BY g.created_at, g.user_id LIMIT $5
        """,
        app_id,
        client_id,
        *keyset.forward(after, after_id),
        limit,
    )


async def is_user(db: Db, *, app_id: str, user_id: str) -> bool:
    """Returns whether the application has this user, disabled or not."""
    return bool(
        await value(
            db,
            "SELECT EXISTS (SELECT FROM users WHERE app_id = $1 AND id = $2)",
            app_id,
            user_id,
        )
    )


async def list_of_user(db: Db, *, app_id: str, user_id: str) -> list[ConsentRow]:
    """Lists the user's consents by creation time, 1000 at most."""
    return await many(
        db,
        ConsentRow,
        """
        SELECT g.user_id, g.client_id, c.name AS client_name, g.scopes, NULL AS email,
               NULL AS name, g.created_at, g.updated_at, c.source, c.redirect_uris
        FROM consents g JOIN oauth_clients c ON c.app_id = $1 AND c.client_id = g.client_id
        WHERE g.app_id = $1 AND g.user_id = $2 ORDER BY g.created_at, g.client_id LIMIT 1000
        """,
        app_id,
        user_id,
    )


async def delete(db: Db, *, app_id: str, client_id: str, user_id: str | None) -> int:
    """Deletes the consent of one user, or of all users. Returns how many there were."""
    if user_id is None:
        return await run(
            db, "DELETE FROM consents WHERE app_id = $1 AND client_id = $2", app_id, client_id
        )
    return await run(
        db,
        "DELETE FROM consents WHERE app_id = $1 AND client_id = $2 AND user_id = $3",
        app_id,
        client_id,
        user_id,
    )
