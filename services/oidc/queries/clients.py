"""oauth_clients with their secrets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common import keyset
from common.contracts.clients import Client
from common.db import Db, many, maybe, one, run


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as the protocol sees it, secrets included."""

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

    @property
    def public(self) -> bool:
        return self.token_endpoint_auth_method == "none"

    @property
    def needs_pkce(self) -> bool:
        """Whether nothing can stand in for PKCE."""
        return self.public or self.require_pkce is True


async def registered(db: Db, *, app_id: str, client_id: str) -> Registered | None:
    """By client_id, enabled or not."""
    return await maybe(
        db,
        Registered,
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
               ), '[]') AS secrets
        FROM oauth_clients c WHERE c.app_id = $1 AND c.client_id = $2
        """,
        app_id,
        client_id,
    )


async def insert(
    db: Db, *, app_id: str, id: str, client_id: str, fields: dict[str, Any]
) -> datetime:
    """`fields` are those of ClientFields, by column. Returns when it was made."""
    made: datetime = await db.fetchval(
        """
        INSERT INTO oauth_clients (
            app_id, id, client_id, name, type, redirect_uris, post_logout_redirect_uris, scopes,
            grant_types, allowed_origins, default_resources, token_endpoint_auth_method,
            token_endpoint_auth_alg, require_pkce, jwks, jwks_uri, first_party, subject_type,
            sector_identifier, id_token_alg, access_token_alg, access_token_format, userinfo_alg,
            access_token_lifetime, id_token_lifetime, id_token_claims, refresh_token_lifetime,
            refresh_token_max_lifetime, rotate_refresh_tokens, include_rights, claims_mapping,
            backchannel_logout_uri, backchannel_session_required, frontchannel_logout_uri,
            frontchannel_session_required, initiate_login_uri, default_max_age, require_auth_time,
            default_acr_values, logo_uri, client_uri, policy_uri, tos_uri, contacts, enabled)
        SELECT
            $1, $2, $3, f.name, f.type, f.redirect_uris, f.post_logout_redirect_uris, f.scopes,
            f.grant_types, f.allowed_origins, f.default_resources, f.token_endpoint_auth_method,
            f.token_endpoint_auth_alg, f.require_pkce, f.jwks, f.jwks_uri, f.first_party,
            f.subject_type, f.sector_identifier, f.id_token_alg, f.access_token_alg,
            f.access_token_format, f.userinfo_alg, f.access_token_lifetime, f.id_token_lifetime,
            f.id_token_claims, f.refresh_token_lifetime, f.refresh_token_max_lifetime,
            f.rotate_refresh_tokens, f.include_rights, f.claims_mapping, f.backchannel_logout_uri,
            f.backchannel_session_required, f.frontchannel_logout_uri,
            f.frontchannel_session_required, f.initiate_login_uri, f.default_max_age,
            f.require_auth_time, f.default_acr_values, f.logo_uri, f.client_uri, f.policy_uri,
            f.tos_uri, f.contacts, f.enabled
        FROM jsonb_populate_record(NULL::oauth_clients, $4) f
        RETURNING created_at
        """,
        app_id,
        id,
        client_id,
        fields,
    )
    return made


async def update(db: Db, *, app_id: str, client_id: str, fields: dict[str, Any]) -> Client | None:
    """All of ClientFields at once, as they are after the change. Who is disabled gets a new epoch:
    no token of the last one comes back to life when he is enabled."""
    return await maybe(
        db,
        Client,
        """
        UPDATE oauth_clients c SET
            name = f.name, type = f.type, redirect_uris = f.redirect_uris,
            post_logout_redirect_uris = f.post_logout_redirect_uris, scopes = f.scopes,
            grant_types = f.grant_types, allowed_origins = f.allowed_origins,
            default_resources = f.default_resources,
            token_endpoint_auth_method = f.token_endpoint_auth_method,
            token_endpoint_auth_alg = f.token_endpoint_auth_alg, require_pkce = f.require_pkce,
            jwks = f.jwks, jwks_uri = f.jwks_uri, first_party = f.first_party,
            subject_type = f.subject_type, sector_identifier = f.sector_identifier,
            id_token_alg = f.id_token_alg, access_token_alg = f.access_token_alg,
            access_token_format = f.access_token_format, userinfo_alg = f.userinfo_alg,
            access_token_lifetime = f.access_token_lifetime,
            id_token_lifetime = f.id_token_lifetime, id_token_claims = f.id_token_claims,
            refresh_token_lifetime = f.refresh_token_lifetime,
            refresh_token_max_lifetime = f.refresh_token_max_lifetime,
            rotate_refresh_tokens = f.rotate_refresh_tokens, include_rights = f.include_rights,
            claims_mapping = f.claims_mapping, backchannel_logout_uri = f.backchannel_logout_uri,
            backchannel_session_required = f.backchannel_session_required,
            frontchannel_logout_uri = f.frontchannel_logout_uri,
            frontchannel_session_required = f.frontchannel_session_required,
            initiate_login_uri = f.initiate_login_uri, default_max_age = f.default_max_age,
            require_auth_time = f.require_auth_time, default_acr_values = f.default_acr_values,
            logo_uri = f.logo_uri, client_uri = f.client_uri, policy_uri = f.policy_uri,
            tos_uri = f.tos_uri, contacts = f.contacts, enabled = f.enabled, updated_at = now(),
            backchannel_logout_failure = CASE
                WHEN c.backchannel_logout_uri IS NOT DISTINCT FROM f.backchannel_logout_uri
                THEN c.backchannel_logout_failure END,
            epoch = c.epoch + CASE WHEN c.enabled AND NOT f.enabled THEN 1 ELSE 0 END
        FROM jsonb_populate_record(NULL::oauth_clients, $3) f
        WHERE c.app_id = $1 AND c.client_id = $2
        RETURNING c.id, c.client_id, c.name, c.type, c.redirect_uris, c.post_logout_redirect_uris,
            c.scopes, c.grant_types, c.allowed_origins, c.default_resources,
            c.token_endpoint_auth_method, c.token_endpoint_auth_alg, c.require_pkce, c.jwks,
            c.jwks_uri, c.first_party, c.subject_type, c.sector_identifier, c.id_token_alg,
            c.access_token_alg, c.access_token_format, c.userinfo_alg, c.access_token_lifetime,
            c.id_token_lifetime, c.id_token_claims, c.refresh_token_lifetime,
            c.refresh_token_max_lifetime, c.rotate_refresh_tokens, c.include_rights, c.claims_mapping, c.backchannel_logout_uri,
            c.backchannel_session_required, c.frontchannel_logout_uri,
            c.frontchannel_session_required, c.initiate_login_uri, c.default_max_age,
            c.require_auth_time, c.default_acr_values, c.logo_uri, c.client_uri, c.policy_uri,
            c.tos_uri, c.contacts, c.enabled, c.created_at, c.updated_at,
            c.backchannel_logout_failure
        """,
        app_id,
        client_id,
        fields,
    )


async def find(db: Db, *, app_id: str, client: str) -> Client | None:
    """By the internal id or by client_id."""
    return await maybe(
        db,
        Client,
        """
        SELECT id, client_id, name, type, redirect_uris, post_logout_redirect_uris, scopes,
            grant_types, allowed_origins, default_resources, token_endpoint_auth_method,
            token_endpoint_auth_alg, require_pkce, jwks, jwks_uri, first_party, subject_type,
            sector_identifier, id_token_alg, access_token_alg, access_token_format, userinfo_alg,
            access_token_lifetime, id_token_lifetime, id_token_claims, refresh_token_lifetime,
            refresh_token_max_lifetime, rotate_refresh_tokens, include_rights, claims_mapping,
            backchannel_logout_uri, backchannel_session_required, frontchannel_logout_uri,
            frontchannel_session_required, initiate_login_uri, default_max_age, require_auth_time,
            default_acr_values, logo_uri, client_uri, policy_uri, tos_uri, contacts, enabled,
            created_at, updated_at, backchannel_logout_failure
        FROM oauth_clients WHERE app_id = $1 AND (client_id = $2 OR id::text = $2)
        """,
        app_id,
        client,
    )


async def record_logout_failure(
    db: Db, *, app_id: str, client_id: str, failure: dict[str, Any] | None
) -> None:
    """Writes why the client's last logout token was not delivered; None after a delivery."""
    await run(
        db,
        """
        UPDATE oauth_clients SET backchannel_logout_failure = $3
        WHERE app_id = $1 AND client_id = $2
          AND backchannel_logout_failure IS DISTINCT FROM $3
        """,
        app_id,
        client_id,
        failure,
    )


async def lock(db: Db, *, app_id: str, client_id: str) -> bool:
    """Until the transaction ends nobody else changes this client. False if missing.

    Not FOR UPDATE: codes and tokens, whose rows refer to this one, need not wait.
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


async def page(
    db: Db, *, app_id: str, after: datetime | None, after_id: str | None, limit: int
) -> list[Client]:
    return await many(
        db,
        Client,
        """
        SELECT id, client_id, name, type, redirect_uris, post_logout_redirect_uris, scopes,
            grant_types, allowed_origins, default_resources, token_endpoint_auth_method,
            token_endpoint_auth_alg, require_pkce, jwks, jwks_uri, first_party, subject_type,
            sector_identifier, id_token_alg, access_token_alg, access_token_format, userinfo_alg,
            access_token_lifetime, id_token_lifetime, id_token_claims, refresh_token_lifetime,
            refresh_token_max_lifetime, rotate_refresh_tokens, include_rights, claims_mapping,
            backchannel_logout_uri, backchannel_session_required, frontchannel_logout_uri,
            frontchannel_session_required, initiate_login_uri, default_max_age, require_auth_time,
            default_acr_values, logo_uri, client_uri, policy_uri, tos_uri, contacts, enabled,
            created_at, updated_at, backchannel_logout_failure
        FROM oauth_clients
        WHERE app_id = $1 AND (created_at, id) > ($2::timestamptz, $3::uuid)
        ORDER BY created_at, id LIMIT $4
        """,
        app_id,
        *keyset.forward(after, after_id),
        limit,
    )


async def origins(db: Db, *, app_id: str) -> list[str]:
    """The browser origins of all enabled clients, each once."""
    rows = await db.fetch(
        """
        SELECT DISTINCT unnest(allowed_origins) AS origin FROM oauth_clients
        WHERE app_id = $1 AND enabled AND allowed_origins <> '{}'
        """,
        app_id,
    )
    return [row["origin"] for row in rows]


async def delete(db: Db, *, app_id: str, client_id: str) -> bool:
    """Foreign keys take secrets, grants and tokens along."""
    return (
        await run(
            db, "DELETE FROM oauth_clients WHERE app_id = $1 AND client_id = $2", app_id, client_id
        )
        == 1
    )


@dataclass(frozen=True, slots=True)
class SecretRow:
    id: str
    hint: str | None
    expires_at: datetime | None
    created_at: datetime


async def secrets(db: Db, *, app_id: str, client_id: str) -> list[SecretRow]:
    """Those that still hold."""
    return await many(
        db,
        SecretRow,
        """
        SELECT id, secret_hint AS hint, expires_at, created_at FROM oauth_client_secrets
        WHERE app_id = $1 AND client_id = $2 AND (expires_at IS NULL OR expires_at > now())
        ORDER BY created_at DESC, id DESC
        """,
        app_id,
        client_id,
    )


async def insert_secret(
    db: Db, *, app_id: str, id: str, client_id: str, hash: str, hint: str, sealed: str | None
) -> SecretRow:
    return await one(
        db,
        SecretRow,
        """
        INSERT INTO oauth_client_secrets (app_id, id, client_id, secret_hash, secret_hint,
                                          secret_sealed)
        VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING id, secret_hint AS hint, expires_at, created_at
        """,
        app_id,
        id,
        client_id,
        hash,
        hint,
        sealed,
    )


async def end_other_secrets(
    db: Db, *, app_id: str, client_id: str, keep: str, overlap: float
) -> int:
    """The client's other secrets end in `overlap` seconds, or sooner where that was settled."""
    return await run(
        db,
        """
        UPDATE oauth_client_secrets
        SET expires_at = least(expires_at, now() + make_interval(secs => $4))
        WHERE app_id = $1 AND client_id = $2 AND id <> $3
        """,
        app_id,
        client_id,
        keep,
        overlap,
    )


async def delete_secret(db: Db, *, app_id: str, client_id: str, id: str) -> bool:
    return (
        await run(
            db,
            "DELETE FROM oauth_client_secrets WHERE app_id = $1 AND client_id = $2 AND id = $3",
            app_id,
            client_id,
            id,
        )
        == 1
    )
