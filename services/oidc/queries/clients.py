"""oauth_clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common import keyset
from common.contracts.clients import Client
from common.db import Db, many, maybe, run
from common.sql import qualified

FIELD_COLUMNS: Final = """
    name, type, redirect_uris, post_logout_redirect_uris, scopes, grant_types, allowed_origins,
    default_resources, token_endpoint_auth_method, token_endpoint_auth_alg, require_pkce, jwks,
    jwks_uri, first_party, subject_type, sector_identifier, id_token_alg, access_token_alg,
    access_token_format, userinfo_alg, access_token_lifetime, id_token_lifetime, id_token_claims,
    refresh_token_lifetime, refresh_token_max_lifetime, rotate_refresh_tokens, include_rights,
    claims_mapping, backchannel_logout_uri, backchannel_session_required, frontchannel_logout_uri,
    frontchannel_session_required, initiate_login_uri, default_max_age, require_auth_time,
    default_acr_values, logo_uri, client_uri, policy_uri, tos_uri, contacts, enabled,
    require_pushed_authorization_requests, require_signed_request_object,
    request_object_signing_alg, authorization_signed_response_alg, security_profile,
    dpop_bound_access_tokens"""
"""Of ClientFields: what developers set."""
CLIENT_COLUMNS: Final = f"""
    id, client_id, {FIELD_COLUMNS},
    created_at, updated_at, backchannel_logout_failure,
    source, last_used_at"""
"""Of Client: what the API answers."""


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A client as the protocol needs it, with the hashes of its secrets."""

    app_id: str
    client_id: str
    name: str
    type: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    scopes: list[str]
    grant_types: list[str]
    default_resources: list[str]
    token_endpoint_auth_method: str | None
    token_endpoint_auth_alg: str | None
    require_pkce: bool | None
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    first_party: bool
    subject_type: str
    sector_identifier: str | None
    id_token_alg: str
    access_token_alg: str
    access_token_format: str
    userinfo_alg: str | None
    access_token_lifetime: int
    id_token_lifetime: int
    id_token_claims: str
    refresh_token_lifetime: int
    refresh_token_max_lifetime: int
    rotate_refresh_tokens: bool
    include_rights: bool
    claims_mapping: dict[str, Any]
    backchannel_logout_uri: str | None
    frontchannel_logout_uri: str | None
    frontchannel_session_required: bool
    default_max_age: int | None
    require_auth_time: bool
    default_acr_values: list[str]
    logo_uri: str | None
    client_uri: str | None
    policy_uri: str | None
    tos_uri: str | None
    enabled: bool
    epoch: int
    secrets: list[dict[str, Any]]
    security_profile: str | None
    dpop_bound_access_tokens: bool
    source: str = "developer"
    last_used_at: datetime | None = None
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    request_object_signing_alg: str | None = None
    authorization_signed_response_alg: str | None = None

    @property
    def public(self) -> bool:
        """Whether the client has no credentials (RFC 6749 section 2.1)."""
        return self.token_endpoint_auth_method == "none"

    @property
    def needs_pkce(self) -> bool:
        """Whether the client must use PKCE and may not rely on a nonce instead."""
        return self.public or self.require_pkce is True or self.security_profile is not None


async def find_registered(db: Db, *, app_id: str, client_id: str) -> RegisteredClient | None:
    """Finds a client by its client_id, enabled or not."""
    return await maybe(
        db,
        RegisteredClient,
        """
        SELECT c.app_id, c.client_id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris,
               c.scopes, c.grant_types, c.default_resources, c.token_endpoint_auth_method,
               c.token_endpoint_auth_alg, c.require_pkce, c.jwks, c.jwks_uri, c.first_party,
               c.subject_type, c.sector_identifier, c.id_token_alg, c.access_token_alg,
               c.access_token_format, c.userinfo_alg, c.access_token_lifetime, c.id_token_lifetime,
               c.id_token_claims, c.refresh_token_lifetime, c.refresh_token_max_lifetime,
               c.rotate_refresh_tokens, c.include_rights, c.claims_mapping, c.backchannel_logout_uri,
               c.frontchannel_logout_uri, c.frontchannel_session_required, c.default_max_age,
               c.require_auth_time, c.default_acr_values, c.logo_uri, c.client_uri, c.policy_uri,
               c.tos_uri, c.enabled, c.epoch,
               coalesce((
                   SELECT jsonb_agg(jsonb_build_object(
                       'id', s.id, 'hash', s.secret_hash, 'sealed', s.secret_sealed,
                       'expires', extract(epoch FROM s.expires_at)) ORDER BY s.created_at DESC)
                   FROM oauth_client_secrets s
                   WHERE s.app_id = $1 AND s.client_id = c.client_id
               ), '[]') AS secrets,
               c.security_profile, c.source, c.last_used_at,
               c.require_pushed_authorization_requests, c.require_signed_request_object,
               c.request_object_signing_alg, c.authorization_signed_response_alg,
               c.dpop_bound_access_tokens
        FROM oauth_clients c WHERE c.app_id = $1 AND c.client_id = $2
        """,
        app_id,
        client_id,
    )


INSERT: Final = f"""
    INSERT INTO oauth_clients (app_id, id, client_id, {FIELD_COLUMNS})
    SELECT $1, $2, $3, {FIELD_COLUMNS} FROM jsonb_populate_record(NULL::oauth_clients, $4)
    RETURNING created_at
    """


async def insert(
    db: Db, *, app_id: str, id: str, client_id: str, fields: dict[str, Any]
) -> datetime:
    """Stores a client and returns its creation time. `fields` are those of ClientFields."""
    created_at: datetime = await db.fetchval(INSERT, app_id, id, client_id, fields)
    return created_at


UPDATE: Final = f"""
    UPDATE oauth_clients c SET
        ({FIELD_COLUMNS}) = ROW({qualified("f", FIELD_COLUMNS)}),
        updated_at = now(),
        backchannel_logout_failure = CASE
            WHEN c.backchannel_logout_uri IS NOT DISTINCT FROM f.backchannel_logout_uri
            THEN c.backchannel_logout_failure END,
        fetched_jwks = CASE WHEN c.jwks_uri IS NOT DISTINCT FROM f.jwks_uri THEN c.fetched_jwks END,
        jwks_fetched_at =
            CASE WHEN c.jwks_uri IS NOT DISTINCT FROM f.jwks_uri THEN c.jwks_fetched_at END,
        epoch = c.epoch + CASE
            WHEN c.enabled AND NOT f.enabled
                OR f.security_profile IS DISTINCT FROM c.security_profile
                    AND f.security_profile IS NOT NULL
            THEN 1 ELSE 0 END
    FROM jsonb_populate_record(NULL::oauth_clients, $3) f
    WHERE c.app_id = $1 AND c.client_id = $2
    RETURNING {qualified("c", CLIENT_COLUMNS)}
    """


async def update(db: Db, *, app_id: str, client_id: str, fields: dict[str, Any]) -> Client | None:
    """Replaces all of ClientFields. Returns None if there is no such client.

    Disabling a client counts its epoch up, so its old tokens stay invalid when it is enabled again. So
    does a security profile: no token outlives it that it would not have allowed.
    """
    return await maybe(db, Client, UPDATE, app_id, client_id, fields)


FIND: Final = f"""
    SELECT {CLIENT_COLUMNS} FROM oauth_clients
    WHERE app_id = $1 AND (client_id = $2 OR id::text = $2)
    """


async def find(db: Db, *, app_id: str, client: str) -> Client | None:
    """Finds a client by its id or its client_id."""
    return await maybe(db, Client, FIND, app_id, client)


async def lock(db: Db, *, app_id: str, client_id: str) -> bool:
    """Locks the client against changes until the transaction ends. Returns False if missing.

    The lock is not FOR UPDATE: inserts of codes and tokens, which refer to this row, need not wait.
    """
    return (
        await run(
            db,
            "SELECT FROM oauth_clients WHERE app_id = $1 AND client_id = $2 FOR NO KEY UPDATE",
            app_id,
            client_id,
        )
        == 1
    )


PAGE: Final = f"""
    SELECT {CLIENT_COLUMNS} FROM oauth_clients
    WHERE app_id = $1 AND (created_at, id) > ($2::timestamptz, $3::uuid)
      AND ($5::text IS NULL OR source = $5)
    ORDER BY created_at, id LIMIT $4
    """


async def page(
    db: Db,
    *,
    app_id: str,
    after: datetime | None,
    after_id: str | None,
    limit: int,
    source: str | None = None,
) -> list[Client]:
    """Lists clients by creation time, from the position after `after` and `after_id`: all, or those of one source."""
    position = keyset.forward(after, after_id)
    return await many(db, Client, PAGE, app_id, *position, limit, source)


async def list_origins(db: Db, *, app_id: str) -> list[str]:
    """Lists the browser origins of all enabled clients, each once."""
    rows = await db.fetch(
        """
        SELECT DISTINCT unnest(allowed_origins) AS origin FROM oauth_clients
        WHERE app_id = $1 AND enabled AND allowed_origins <> '{}'
        """,
        app_id,
    )
    return [row["origin"] for row in rows]


async def delete(db: Db, *, app_id: str, client_id: str) -> bool:
    """Deletes the client. Foreign keys delete its secrets, consents and tokens too."""
    return (
        await run(
            db, "DELETE FROM oauth_clients WHERE app_id = $1 AND client_id = $2", app_id, client_id
        )
        == 1
    )
