"""Finds the user of an assertion that an identity provider signed (docs/adr/0042).

The provider, its keys and the links of users are identity's. oidc decides for what an assertion is exchanged.
"""

from __future__ import annotations

from typing import Any

from common import logs, second_factor_rules
from common.context import Context
from common.contracts.oauth_errors import InvalidGrant
from common.contracts.provider_assertions import AssertedUser, VerifyAssertion
from common.contracts.tenants import Tenant
from identity.deps import Deps
from identity.providers import assertions, issuers, signed_tokens
from identity.providers.assertions import ProviderAssertion
from identity.providers.failures import ProviderFailed
from identity.queries import identity_links, identity_providers
from identity.queries.identity_links import LinkedUser
from identity.queries.identity_providers import Provider

log = logs.get(__name__)


async def verify(deps: Deps, ctx: Context, request: VerifyAssertion) -> AssertedUser:
    """Verifies the assertion, and finds its user by the link of the account. Raises InvalidGrant.

    An address never finds a user here, and no user is created.
    """
    provider = await _provider(deps, ctx, request)
    try:
        assertion = await assertions.verify(deps, ctx, provider, request.assertion)
    except ProviderFailed as failure:
        log.info("assertion refused", provider=provider.id, why=failure.detail)
        raise InvalidGrant(failure.detail) from None
    async with deps.db.reader(ctx) as db:
        user = await identity_links.find_user(
            db,
            app_id=ctx.app_id,
            idp_id=provider.id,
            iss=provider.issuer or "",
            subject=assertion.subject,
        )
    if user is None or user.disabled:
        raise InvalidGrant("no user can sign in with the account that the assertion is about")
    _check_rules(await deps.tenants.get(ctx), provider, user, assertion)
    return _verified(provider, user, assertion)


async def _provider(deps: Deps, ctx: Context, request: VerifyAssertion) -> Provider:
    """Returns the enabled provider whose issuer the assertion names. Raises InvalidGrant."""
    named = signed_tokens.unverified_claims(request.assertion)
    iss, tenant = named.get("iss"), named.get("tid")
    async with deps.db.reader(ctx) as db:
        candidates = await identity_providers.list_enabled(
            db, app_id=ctx.app_id, ids=request.provider_ids
        )
    # Nobody widens what they have by an assertion of this issuer itself (ID-JAG, section "Cross-Domain Use").
    if isinstance(iss, str) and iss not in await _own_issuers(deps, ctx):
        for provider in candidates:
            if issuers.is_issuer(provider, iss, tenant=tenant):
                return provider
    raise InvalidGrant("the assertion is not one of an identity provider that this client may use")


async def _own_issuers(deps: Deps, ctx: Context) -> list[str]:
    """Returns the issuers of the application itself: each of its hosts is one."""
    tenant = await deps.tenants.get(ctx)
    scheme = tenant.origin.partition("://")[0]
    return [ctx.origin, *(f"{scheme}://{host}" for host in tenant.hosts)]


def _check_rules(
    tenant: Tenant, provider: Provider, user: LinkedUser, assertion: ProviderAssertion
) -> None:
    """Raises InvalidGrant if a sign-in with this provider would not be complete either: if the application
    wants a verified address or two factors, and there are none."""
    if tenant.settings.require_verified_email and not user.email_verified:
        raise InvalidGrant("the user's address is not verified")
    if tenant.settings.mfa_policy != "required":
        return
    if not second_factor_rules.are_two({"provider"}, _trusted_amr(provider, assertion)):
        raise InvalidGrant("the application requires two factors, and the provider reports fewer")


def _trusted_amr(provider: Provider, assertion: ProviderAssertion) -> list[str]:
    return assertion.amr if provider.trusts_factors else []


def _verified(provider: Provider, user: LinkedUser, assertion: ProviderAssertion) -> AssertedUser:
    claims: dict[str, Any] = assertion.claims
    is_jag = assertion.typ == assertions.ID_JAG
    return AssertedUser(
        provider_id=provider.id,
        iss=claims["iss"],
        jti=claims["jti"],
        expires_at=int(claims["exp"]),
        auth_time=assertion.auth_time,
        user_id=user.user_id,
        user_epoch=user.epoch,
        id_jag=is_jag,
        client_id=claims.get("client_id"),
        resource=assertion.resource if is_jag else None,
        scope=claims.get("scope") if is_jag else None,
        amr=_trusted_amr(provider, assertion),
        act=claims.get("act"),
        may_act=claims.get("may_act"),
    )
