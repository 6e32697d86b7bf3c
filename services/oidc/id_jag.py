"""Issues Identity Assertion JWT Authorization Grants (ID-JAG): assertions about our users for another
authorization server that trusts this one for sign-in (draft-ietf-oauth-identity-assertion-authz-grant)."""

from __future__ import annotations

from typing import Any, Final

from common import audit
from common.context import Context
from common.contracts.exchange_policies import ExchangePolicy
from common.contracts.oauth_errors import InvalidTarget, OAuthError
from common.contracts.tokens import Tokens
from common.crypto import token as random_token
from common.events.tokens import AssertionIssued
from oidc import grant_policy, keys, scope_catalogue, token_types
from oidc.deps import Deps
from oidc.exchange_subjects import NOT_VALID, ExchangeSubject
from oidc.queries import exchange_policies, token_exchange
from oidc.queries.token_exchange import ExchangeWish
from oidc.subjects import subject as subject_of
from oidc.timestamps import from_seconds, now
from oidc.token_request import TokenRequest

TYP: Final = "oauth-id-jag+jwt"
LIFETIME: Final = 300
"""Seconds."""
COPIED: Final = ("auth_time", "acr", "amr")
"""Claims of the exchanged token that say how the user signed in."""


async def issue(
    deps: Deps, ctx: Context, request: TokenRequest, subject: ExchangeSubject, *, audience: str
) -> Tokens:
    """Returns an assertion for the authorization server `audience`. Raises OAuthError `invalid_request` if
    nothing can be asserted about the subject, InvalidTarget and InvalidScope for what no policy allows."""
    client, parameters = request.client, request.parameters
    if parameters.get("actor_token") is not None:
        raise OAuthError("an assertion for another server has no actor")
    if subject.user_id is None or subject.guest:
        raise OAuthError("only a user who has signed up can be asserted to another server")
    if subject.represented or "act" in subject.claims:
        raise OAuthError("somebody acts as the user, which another server cannot see")
    policy = await _policy(deps, ctx, client.client_id, subject, audience=audience)
    resource = grant_policy.narrow_resources(parameters.values_of("resource"), policy.resources)
    scopes = grant_policy.narrow_scopes(parameters.get("scope"), policy.scopes)
    resources = resource or policy.resources
    await _check_live(deps, ctx, subject)
    issued_at = now()
    lifetime = min(LIFETIME, subject.expires_at - issued_at)
    claims: dict[str, Any] = {
        "iss": ctx.origin,
        "sub": subject_of(deps.keys, client, subject.user_id),
        "aud": audience,
        "client_id": policy.audience_client_id or client.client_id,
        "jti": random_token("", 16),
        "iat": issued_at,
        "exp": issued_at + lifetime,
        **({"resource": resources[0] if len(resources) == 1 else resources} if resources else {}),
        **scope_catalogue.scope_claim(scopes),
        **{name: subject.claims[name] for name in COPIED if name in subject.claims},
    }
    await _record(deps, ctx, request, subject, claims=claims, resources=resources, scopes=scopes)
    key = await keys.signing_key(deps, ctx, client.id_token_alg)
    return Tokens(
        access_token=key.sign(TYP, claims),
        token_type=token_types.NOT_APPLICABLE,
        expires_in=lifetime,
        scope=claims.get("scope"),
        issued_token_type=token_types.ID_JAG,
    )


async def _policy(
    deps: Deps, ctx: Context, client_id: str, subject: ExchangeSubject, *, audience: str
) -> ExchangePolicy:
    async with deps.db.reader(ctx) as db:
        policy = await exchange_policies.find(
            db,
            app_id=ctx.app_id,
            client_id=client_id,
            subject_client_id=subject.client_id,
            audience=audience,
        )
    if policy is None:
        raise InvalidTarget("no policy lets this client get assertions for this server")
    return policy


async def _check_live(deps: Deps, ctx: Context, subject: ExchangeSubject) -> None:
    """Raises OAuthError if the user, the session or the token has ended since it was read."""
    claims = subject.claims
    if subject.family_id is None:
        raise OAuthError(NOT_VALID)
    wish = ExchangeWish(
        app_id=ctx.app_id,
        family_id=subject.family_id,
        user_epoch=subject.epoch,
        tokens=subject.tokens,
        scopes=[],
        resource=[],
        auth_time=from_seconds(claims.get("auth_time", claims["iat"])),
        acr=None,
        amr=[],
        org_id=None,
        cnf=None,
        authorization_details=None,
    )
    async with deps.db.reader(ctx) as db:
        if await token_exchange.find_grant(db, wish) is None:
            raise OAuthError(NOT_VALID)


async def _record(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    subject: ExchangeSubject,
    *,
    claims: dict[str, Any],
    resources: list[str],
    scopes: list[str],
) -> None:
    """Records the assertion. It is given out only after that is committed."""
    event = AssertionIssued(
        client_id=request.client.client_id,
        audience=claims["aud"],
        audience_client_id=claims["client_id"],
        resources=resources,
        scopes=scopes,
    )
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, event, user_id=subject.user_id)
