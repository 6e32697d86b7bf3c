"""The claims of tokens about the session, the organization, the user and their rights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.context import Context
from common.contracts.rights import Rights
from common.ids import DASHBOARD
from oidc import claims, scope_catalogue
from oidc.claims import ClaimSources
from oidc.deps import Deps
from oidc.queries import user_profiles
from oidc.queries.clients import RegisteredClient
from oidc.queries.token_grants import TokenGrant
from oidc.subjects import subject


@dataclass(slots=True)
class ExtraClaims:
    """Claims beyond the standard ones, for each kind of token."""

    access: dict[str, Any] = field(default_factory=dict)
    id: dict[str, Any] = field(default_factory=dict)


def session_claims(grant: TokenGrant) -> dict[str, Any]:
    """Returns `sid`, `acr` and `amr`, as far as the grant has them."""
    values: dict[str, Any] = {}
    if grant.sid is not None:
        values["sid"] = grant.sid
    if grant.acr is not None:
        values["acr"] = grant.acr
    if grant.amr:
        values["amr"] = grant.amr
    return values


def bound_claims(grant: TokenGrant) -> dict[str, Any]:
    """Returns what the access token is bound to (RFC 7800), and what else was granted (RFC 9396 section
    9.1), as far as the grant has them."""
    values: dict[str, Any] = {}
    if grant.cnf is not None:
        values["cnf"] = grant.cnf
    if grant.authorization_details is not None:
        values["authorization_details"] = grant.authorization_details
    return values


async def account_claims(
    deps: Deps, ctx: Context, client: RegisteredClient, grant: TokenGrant
) -> dict[str, Any]:
    """Returns `guest` for a user without credentials, and `act` if somebody acts as the user (RFC
    8693 section 4.1). A developer's `act` names the issuer of the Dashboard."""
    values: dict[str, Any] = {"guest": True} if grant.guest else {}
    if grant.actor_id is None:
        return values
    if grant.actor_app_id == ctx.app_id:
        values["act"] = {"sub": subject(deps.keys, client, grant.actor_id)}
    else:
        dashboard = await deps.tenants.get(ctx.with_application(DASHBOARD))
        values["act"] = {"iss": dashboard.origin, "sub": grant.actor_id}
    return values


def organization_claims(grant: TokenGrant) -> dict[str, Any]:
    """Returns the active organization and the user's role, while the user is its member."""
    if grant.org_role is None:
        return {}
    return {"org_id": grant.org_id, "org_role": grant.org_role}


def profile_claims(grant: TokenGrant, scopes: list[str]) -> dict[str, Any]:
    """Returns the user's claims that ID tokens carry for the scopes `email` and `profile`."""
    values: dict[str, Any] = {}
    if "email" in scopes and grant.email is not None:
        values["email"], values["email_verified"] = grant.email, grant.email_verified
    if "profile" in scopes:
        if grant.name:
            values["name"] = grant.name
        if grant.picture:
            values["picture"] = grant.picture
    return values


def current_org(grant: TokenGrant) -> str | None:
    """Returns the active organization, or None if the user is no longer its member."""
    return grant.org_id if grant.org_role is not None else None


async def extra_claims(
    deps: Deps, ctx: Context, client: RegisteredClient, grant: TokenGrant, *, scopes: list[str]
) -> ExtraClaims:
    """Returns rights, mapped claims and the claims that the `claims` parameter asks for.

    Reads nothing from the database if the client wants none of them.
    """
    extra = ExtraClaims()
    org_id = current_org(grant)
    permissions = await scope_catalogue.permission_scopes(deps, ctx, scopes)
    if permissions:
        extra.access["permissions"] = sorted(permissions)
    parameter = await _claims_parameter(deps, ctx, client, grant, scopes=scopes)
    userinfo_claims = claims.requested(parameter, "userinfo")
    if userinfo_claims:
        extra.access["userinfo_claims"] = userinfo_claims
    id_token_claims = claims.requested(parameter, "id_token")
    names = mapping_sources(client)
    rights = None
    if client.include_rights or "rights" in names:
        rights = await scope_catalogue.get_rights(deps, ctx, grant.user_id, org_id)
    if client.include_rights and rights is not None:
        extra.access["roles"] = rights.roles
        extra.access["permissions"] = sorted({*rights.permissions, *permissions})
        if org_id is not None:
            extra.access["org_permissions"] = rights.org_permissions
    if id_token_claims or names:
        sources = await _claim_sources(
            deps, ctx, grant.user_id, org_id if "org" in names else None, rights=rights
        )
        if sources is not None:
            extra.id |= claims.for_names(sources.user, id_token_claims)
            extra.id |= claims.from_mapping(client.claims_mapping, "id_token", sources)
            extra.access |= claims.from_mapping(client.claims_mapping, "access_token", sources)
    return extra


async def _claims_parameter(
    deps: Deps, ctx: Context, client: RegisteredClient, grant: TokenGrant, *, scopes: list[str]
) -> dict[str, Any] | None:
    """Returns the `claims` parameter without claims of scopes that the client has lost."""
    if grant.claims is None:
        return None
    claims_by_scope = await scope_catalogue.claims_by_scope(deps, ctx, client, scopes)
    parameter, _ = claims.within_scopes(grant.claims, scopes, claims_by_scope)
    return parameter


def mapping_sources(client: RegisteredClient) -> set[str]:
    """Returns which sources the client's claims mapping reads: `user`, `org`, `rights`."""
    return {
        (source if isinstance(source, str) else str(source.get("from", ""))).split(".")[0]
        for source in client.claims_mapping.values()
    }


async def _claim_sources(
    deps: Deps, ctx: Context, user_id: str, org_id: str | None, *, rights: Rights | None
) -> ClaimSources | None:
    async with deps.db.reader(ctx) as db:
        user = await user_profiles.find(db, app_id=ctx.app_id, user_id=user_id)
        org = None
        if org_id is not None:
            org = await user_profiles.find_organization(
                db, app_id=ctx.app_id, org_id=org_id, user_id=user_id
            )
    return None if user is None else ClaimSources(user, org, rights)
