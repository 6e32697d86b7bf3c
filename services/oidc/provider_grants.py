"""Exchanges assertions of identity providers for tokens of their users (RFC 7523 section 2.1, ID-JAG).

identity verifies the assertion and finds the user. Here is which client may use it, and for what.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.context import Context
from common.contracts.exchange_policies import ExchangePolicy
from common.contracts.oauth_errors import InvalidGrant, InvalidTarget, OAuthError
from common.contracts.provider_assertions import AssertedUser, VerifyAssertion
from common.contracts.tokens import Tokens
from common.events.tokens import AssertionExchanged
from common.ids import new_id
from oidc import delegation, family_start, grant_policy, scope_catalogue
from oidc.delegation import Delegation
from oidc.deps import Deps
from oidc.family_start import SingleToken
from oidc.queries import exchange_policies, revoked_grants, used_assertions
from oidc.queries.used_assertions import AssertionUse
from oidc.timestamps import from_seconds
from oidc.token_request import TokenRequest

SKEW = 120
"""Seconds for which an assertion is remembered after it has expired."""


@dataclass(frozen=True, kw_only=True)
class AssertedGrant:
    """The grant that an assertion stands for. `id` becomes that of the token family, which has no session."""

    id: str
    client_epoch: int
    user_id: str
    user_epoch: int
    scopes: list[str]
    resource: list[str]
    auth_time: datetime
    amr: list[str]
    revocations: list[str]
    session_id: str | None = None
    claims: dict[str, Any] | None = None
    nonce: str | None = None
    acr: str | None = None
    org_id: str | None = None
    cnf: dict[str, Any] | None = field(default=None)
    authorization_details: list[dict[str, Any]] | None = None


async def redeem(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    assertion: str,
    *,
    targets: list[str],
    actor: dict[str, Any] | None = None,
) -> Tokens:
    """Uses the assertion up and returns an access token for its user.

    `actor` acts for the user, if this is an exchange. Raises InvalidGrant for an assertion that is not accepted
    or was used, InvalidTarget and InvalidScope for what the policy or the assertion does not allow.
    """
    client = request.client
    policies = await _policies(deps, ctx, client.client_id)
    verify = VerifyAssertion(assertion=assertion, provider_ids=list(policies))
    verified = await deps.bus.call(ctx.as_system(), verify)
    if verified.client_id not in (None, client.client_id):
        raise InvalidGrant("the assertion is for another client")
    policy = policies[verified.provider_id]
    resource = await _target(deps, ctx, policy, verified, requested=targets)
    scopes = _scopes(request, policy, verified)
    act = _act(ctx, verified, actor)
    content = await _grant(deps, ctx, request, verified, scopes=scopes, resource=resource)
    event = AssertionExchanged(
        client_id=client.client_id,
        provider_id=verified.provider_id,
        actors=[str(one["sub"]) for one in delegation.actors(act)],
        audience=resource,
        scopes=scopes,
    )
    return await family_start.redeem(
        deps,
        ctx,
        request,
        content,
        statement=used_assertions.REDEEM,
        consumed=_use(verified),
        kind="assertion",
        single=SingleToken(client.access_token_lifetime, event, Delegation(act)),
    )


async def _policies(deps: Deps, ctx: Context, client_id: str) -> dict[str, ExchangePolicy]:
    """Returns the client's policies by the provider whose assertions it may exchange."""
    async with deps.db.reader(ctx) as db:
        policies = await exchange_policies.list_(db, app_id=ctx.app_id, client_id=client_id)
    found = {policy.provider: policy for policy in policies if policy.provider is not None}
    if not found:
        raise InvalidGrant("no policy lets this client exchange assertions of identity providers")
    return found


async def _target(
    deps: Deps,
    ctx: Context,
    policy: ExchangePolicy,
    verified: AssertedUser,
    *,
    requested: list[str],
) -> list[str]:
    """Returns the APIs that the token is for: those requested, else those of the assertion, else the only one
    of the policy. Raises InvalidTarget for one that the policy or the assertion does not allow."""
    allowed = policy.resources
    if verified.resource is not None:
        allowed = [name for name in verified.resource if name in policy.resources]
        requested = requested or verified.resource
    requested = requested or (allowed if len(allowed) == 1 else [])
    if not requested or not set(requested) <= set(allowed):
        raise InvalidTarget("the policy of the client, or the assertion, does not have this target")
    return await grant_policy.select_resources(deps, ctx, requested)


def _scopes(request: TokenRequest, policy: ExchangePolicy, verified: AssertedUser) -> list[str]:
    """Returns the requested scopes, or all that policy, client and assertion have in common. Raises
    InvalidScope for another one."""
    allowed = [name for name in policy.scopes if name in request.client.scopes]
    allowed = [name for name in allowed if name not in scope_catalogue.NEEDS_USER]
    if verified.scope is not None:
        asserted = scope_catalogue.parse(verified.scope)
        allowed = [name for name in allowed if name in asserted]
    return grant_policy.narrow_scopes(request.parameters.get("scope"), allowed)


def _act(
    ctx: Context, verified: AssertedUser, actor: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Returns who acts for the user. Raises InvalidGrant if the assertion does not let them."""
    try:
        if actor is not None:
            delegation.check_may_act(verified.may_act, actor, ctx.origin)
        return delegation.chain(actor, verified.act)
    except OAuthError as error:
        raise InvalidGrant(error.detail) from None


async def _grant(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    verified: AssertedUser,
    *,
    scopes: list[str],
    resource: list[str],
) -> AssertedGrant:
    client = request.client
    async with deps.db.reader(ctx) as db:
        revocations = await revoked_grants.list_known(
            db, app_id=ctx.app_id, client_id=client.client_id, user_id=verified.user_id
        )
    return AssertedGrant(
        id=new_id(),
        client_epoch=client.epoch,
        user_id=verified.user_id,
        user_epoch=verified.user_epoch,
        scopes=scopes,
        resource=resource,
        auth_time=from_seconds(verified.auth_time),
        amr=verified.amr,
        revocations=revocations,
    )


def _use(verified: AssertedUser) -> AssertionUse:
    """Returns what makes the assertion unusable from now on, at all replicas."""
    name = f"{verified.iss}\n{verified.jti}".encode()
    return AssertionUse(hashlib.sha256(name).hexdigest(), from_seconds(verified.expires_at + SKEW))
