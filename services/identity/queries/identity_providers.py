"""identity_providers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from common.db import Db, many, maybe

COLUMNS: Final = """
    app_id, id, name, display_name, type, preset, org_id, issuer, authorization_endpoint,
    token_endpoint, userinfo_endpoint, jwks_uri, client_id, client_secret_sealed, auth_method, scopes,
    pkce, nonce, response_mode, iss_mode, algorithms, claim_mapping, role_mapping, options,
    trusts_email, trusts_factors, position, enabled, created_at, updated_at"""


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


async def list_of_organization(db: Db, *, app_id: str, org_id: str) -> list[Provider]:
    """Lists the enabled providers of an organization."""
    return await many(
        db,
        Provider,
        f"""
        SELECT {COLUMNS} FROM identity_providers
        WHERE app_id = $1 AND org_id = $2 AND enabled ORDER BY position, name
        """,
        app_id,
        org_id,
    )
