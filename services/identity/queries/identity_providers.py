"""identity_providers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from common.db import Db, many, maybe, one, run, value
from common.sql import qualified

FIELD_COLUMNS: Final = """
    display_name, type, org_id, issuer, authorization_endpoint, token_endpoint, userinfo_endpoint,
    jwks_uri, client_id, auth_method, scopes, pkce, nonce, response_mode, iss_mode, algorithms,
    claim_mapping, role_mapping, options, trusts_email, trusts_factors, position, enabled"""
"""Of ProviderFields: what administrators set."""
COLUMNS: Final = f"""
    app_id, id, name, preset, client_secret_sealed, created_at, updated_at, {FIELD_COLUMNS}"""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider. Its secret is sealed for (identity_providers, client_secret, id)."""

    app_id: str
    id: str
    name: str
    display_name: str
    type: str
    preset: str | None
    org_id: str | None
    issuer: str | None
    authorization_endpoint: str | None
    token_endpoint: str | None
    userinfo_endpoint: str | None
    jwks_uri: str | None
    client_id: str
    client_secret_sealed: str | None = field(repr=False)
    auth_method: str
    scopes: list[str]
    pkce: bool
    nonce: str
    response_mode: str
    iss_mode: str
    algorithms: list[str]
    claim_mapping: dict[str, Any]
    role_mapping: list[Any]
    options: dict[str, Any]
    trusts_email: bool
    trusts_factors: bool
    position: int
    enabled: bool
    created_at: datetime
    updated_at: datetime


async def by_name(db: Db, *, app_id: str, name: str) -> Provider | None:
    """Finds a provider by its name, enabled or not."""
    return await maybe(
        db,
        Provider,
        f"SELECT {COLUMNS} FROM identity_providers WHERE app_id = $1 AND name = $2",
        app_id,
        name,
    )


async def by_id(db: Db, *, app_id: str, idp_id: str) -> Provider | None:
    """Finds a provider by its id, enabled or not."""
    return await maybe(
        db,
        Provider,
        f"SELECT {COLUMNS} FROM identity_providers WHERE app_id = $1 AND id = $2",
        app_id,
        idp_id,
    )


async def list_(db: Db, *, app_id: str) -> list[Provider]:
    """Lists all providers of the application and of its organizations, in the order of the buttons."""
    return await many(
        db,
        Provider,
        f"""
        SELECT {COLUMNS} FROM identity_providers WHERE app_id = $1 ORDER BY position, name
        """,
        app_id,
    )


async def list_enabled(db: Db, *, app_id: str, ids: list[str]) -> list[Provider]:
    """Lists those of the providers that are enabled and speak OpenID Connect, the oldest first."""
    return await many(
        db,
        Provider,
        f"""
        SELECT {COLUMNS} FROM identity_providers
        WHERE app_id = $1 AND id = ANY ($2::uuid[]) AND enabled AND type = 'oidc'
        ORDER BY created_at, id
        """,
        app_id,
        ids,
    )


async def list_public(db: Db, *, app_id: str) -> list[Provider]:
    """Lists the enabled providers that belong to no organization, for sign-in pages."""
    return await many(
        db,
        Provider,
        f"""
        SELECT {COLUMNS} FROM identity_providers
        WHERE app_id = $1 AND enabled AND org_id IS NULL ORDER BY position, name
        """,
        app_id,
    )


async def has_of_organizations(db: Db, *, app_id: str) -> bool:
    """Returns whether an organization has an enabled provider of its own."""
    return bool(
        await value(
            db,
            """
            SELECT true FROM identity_providers
            WHERE app_id = $1 AND enabled AND org_id IS NOT NULL LIMIT 1
            """,
            app_id,
        )
    )


LOCK: Final = f"""
    SELECT {COLUMNS} FROM identity_providers
    WHERE app_id = $1 AND (name = $2 OR id::text = $2) FOR UPDATE
    """


async def lock(db: Db, *, app_id: str, provider: str) -> Provider | None:
    """Finds a provider by its name or id. No link to it is created until the transaction ends."""
    return await maybe(db, Provider, LOCK, app_id, provider)


FIND: Final = f"""
    SELECT {COLUMNS} FROM identity_providers WHERE app_id = $1 AND (name = $2 OR id::text = $2)
    """


async def find(db: Db, *, app_id: str, provider: str) -> Provider | None:
    """Finds a provider by its name or id, enabled or not."""
    return await maybe(db, Provider, FIND, app_id, provider)


async def count(db: Db, *, app_id: str) -> int:
    """Returns the number of providers of the application and of its organizations."""
    number: int = await value(
        db, "SELECT count(*) FROM identity_providers WHERE app_id = $1", app_id
    )
    return number


async def count_links(db: Db, *, app_id: str, idp_id: str) -> int:
    """Returns the number of accounts at the provider that users have linked."""
    number: int = await value(
        db,
        "SELECT count(*) FROM user_identity_links WHERE app_id = $1 AND idp_id = $2",
        app_id,
        idp_id,
    )
    return number


INSERT: Final = f"""
    INSERT INTO identity_providers (app_id, id, name, preset, client_secret_sealed, {FIELD_COLUMNS})
    SELECT $1, $2, $3, $4, $5, {FIELD_COLUMNS}
    FROM jsonb_populate_record(NULL::identity_providers, $6)
    RETURNING {COLUMNS}
    """


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    name: str,
    preset: str | None,
    client_secret_sealed: str | None,
    fields: dict[str, Any],
) -> Provider:
    """Stores a provider. `fields` are those of ProviderFields."""
    return await one(db, Provider, INSERT, app_id, id, name, preset, client_secret_sealed, fields)


UPDATE: Final = f"""
    UPDATE identity_providers p SET
        ({FIELD_COLUMNS}) = ROW({qualified("f", FIELD_COLUMNS)}),
        client_secret_sealed = $3, updated_at = now()
    FROM jsonb_populate_record(NULL::identity_providers, $4) f
    WHERE p.app_id = $1 AND p.id = $2
    RETURNING {qualified("p", COLUMNS)}
    """


async def update(
    db: Db, *, app_id: str, id: str, client_secret_sealed: str | None, fields: dict[str, Any]
) -> Provider:
    """Replaces all of ProviderFields. The caller has locked the row."""
    return await one(db, Provider, UPDATE, app_id, id, client_secret_sealed, fields)


async def delete(db: Db, *, app_id: str, id: str) -> None:
    """Deletes the provider. Foreign keys delete its links, proofs and documents too."""
    await run(db, "DELETE FROM identity_providers WHERE app_id = $1 AND id = $2", app_id, id)
