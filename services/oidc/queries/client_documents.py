"""client_documents: clients that are named by the URL of their document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common.db import Db, many, maybe, run
from oidc.queries.clients import FIELD_COLUMNS


@dataclass(frozen=True, slots=True)
class StoredClientDocument:
    """The state of a document. `fields` are None while it is fetched for the first time."""

    client_id: str
    fields: dict[str, Any] | None
    pinned: bool
    fresh: bool
    being_fetched: bool


async def find(db: Db, *, app_id: str, client_id: str) -> StoredClientDocument | None:
    """Finds what is known of a document."""
    return await maybe(
        db,
        StoredClientDocument,
        """
        SELECT client_id, fields, pinned,
               fields IS NOT NULL AND (pinned OR expires_at > now()) AS fresh,
               coalesce(fetching_until > now(), false) AS being_fetched
        FROM client_documents WHERE app_id = $1 AND client_id = $2
        """,
        app_id,
        client_id,
    )


async def claim(db: Db, *, app_id: str, client_id: str, seconds: float) -> bool:
    """Takes it on to fetch the document. Returns False while another request does, or if the document
    has become fresh."""
    return (
        await run(
            db,
            """
            INSERT INTO client_documents (app_id, client_id, expires_at, fetching_until)
            VALUES ($1, $2, now(), now() + make_interval(secs => $3))
            ON CONFLICT (app_id, client_id) DO UPDATE SET fetching_until = excluded.fetching_until
            WHERE NOT client_documents.pinned
              AND (client_documents.fetching_until IS NULL OR client_documents.fetching_until <= now())
              AND (client_documents.fields IS NULL OR client_documents.expires_at <= now())
            """,
            app_id,
            client_id,
            seconds,
        )
        == 1
    )


async def release(db: Db, *, app_id: str, client_id: str) -> None:
    """Lets the next request fetch the document, after a failure. A failure is not remembered."""
    await run(
        db,
        """
        UPDATE client_documents SET fetching_until = NULL
        WHERE app_id = $1 AND client_id = $2 AND NOT pinned
        """,
        app_id,
        client_id,
    )


async def store(
    db: Db, *, app_id: str, client_id: str, fields: dict[str, Any], lifetime: int, pinned: bool
) -> bool:
    """Stores what a document says, for `lifetime` seconds. Returns False if a pinned copy stays."""
    return (
        await run(
            db,
            """
            INSERT INTO client_documents (app_id, client_id, fields, pinned, fetched_at, expires_at)
            VALUES ($1, $2, $3, $4, now(), now() + make_interval(secs => $5))
            ON CONFLICT (app_id, client_id) DO UPDATE SET
                fields = excluded.fields, pinned = excluded.pinned, fetched_at = now(),
                expires_at = excluded.expires_at, fetching_until = NULL
            WHERE excluded.pinned OR NOT client_documents.pinned
            """,
            app_id,
            client_id,
            fields,
            pinned,
            float(lifetime),
        )
        == 1
    )


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """A document with when it was fetched, for the list."""

    client_id: str
    fields: dict[str, Any]
    pinned: bool
    fetched_at: datetime
    expires_at: datetime


async def list_(db: Db, *, app_id: str, limit: int) -> list[KnownDocument]:
    """Lists the documents that are known by their URLs, `limit` at most."""
    return await many(
        db,
        KnownDocument,
        """
        SELECT client_id, fields, pinned, fetched_at, expires_at FROM client_documents
        WHERE app_id = $1 AND fields IS NOT NULL ORDER BY client_id LIMIT $2
        """,
        app_id,
        limit,
    )


async def find_known(db: Db, *, app_id: str, client_id: str) -> KnownDocument | None:
    """Finds a document that is known."""
    return await maybe(
        db,
        KnownDocument,
        """
        SELECT client_id, fields, pinned, fetched_at, expires_at FROM client_documents
        WHERE app_id = $1 AND client_id = $2 AND fields IS NOT NULL
        """,
        app_id,
        client_id,
    )


async def delete(db: Db, *, app_id: str, client_id: str) -> bool:
    """Forgets a document. Returns False if none was known."""
    return (
        await run(
            db,
            "DELETE FROM client_documents WHERE app_id = $1 AND client_id = $2",
            app_id,
            client_id,
        )
        == 1
    )


INSERT_CLIENT: Final = f"""
    INSERT INTO oauth_clients (app_id, id, client_id, source, {FIELD_COLUMNS})
    SELECT $1, $2, $3, 'document', {FIELD_COLUMNS}
    FROM jsonb_populate_record(NULL::oauth_clients, $4)
    ON CONFLICT (client_id, app_id) DO NOTHING
    """


async def insert_client(
    db: Db, *, app_id: str, id: str, client_id: str, fields: dict[str, Any]
) -> bool:
    """Stores the client of a document. Returns False if it is stored already."""
    return await run(db, INSERT_CLIENT, app_id, id, client_id, fields) == 1


async def update_client(db: Db, *, app_id: str, client_id: str, fields: dict[str, Any]) -> bool:
    """Changes what a document describes of its client. Settings of administrators stay. Returns False if
    nothing differs, or if the client is not stored."""
    return (
        await run(
            db,
            """
            UPDATE oauth_clients c SET
                name = f.name, type = f.type, redirect_uris = f.redirect_uris, scopes = f.scopes,
                grant_types = f.grant_types, default_resources = f.default_resources,
                token_endpoint_auth_method = f.token_endpoint_auth_method,
                token_endpoint_auth_alg = f.token_endpoint_auth_alg,
                jwks = f.jwks, jwks_uri = f.jwks_uri, logo_uri = f.logo_uri,
                client_uri = f.client_uri, policy_uri = f.policy_uri, tos_uri = f.tos_uri,
                updated_at = now()
            FROM jsonb_populate_record(NULL::oauth_clients, $3) f
            WHERE c.app_id = $1 AND c.client_id = $2 AND c.source = 'document'
              AND ROW (c.name, c.type, c.redirect_uris, c.scopes, c.grant_types, c.default_resources,
                       c.token_endpoint_auth_method, c.token_endpoint_auth_alg, c.jwks, c.jwks_uri,
                       c.logo_uri, c.client_uri, c.policy_uri, c.tos_uri)
                  IS DISTINCT FROM
                  ROW (f.name, f.type, f.redirect_uris, f.scopes, f.grant_types, f.default_resources,
                       f.token_endpoint_auth_method, f.token_endpoint_auth_alg, f.jwks, f.jwks_uri,
                       f.logo_uri, f.client_uri, f.policy_uri, f.tos_uri)
            """,
            app_id,
            client_id,
            fields,
        )
        == 1
    )
