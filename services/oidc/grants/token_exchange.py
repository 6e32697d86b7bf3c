"""Token exchange (RFC 8693): a client exchanges a token for one with which it acts for the token's subject.

The new token never allows more than the exchanged one, lives no longer, and ends with it (docs/adr/0042).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from common.context import Context
from common.contracts.exchange_policies import ExchangePolicy
from common.contracts.oauth_errors import InvalidGrant, InvalidTarget, OAuthError
from common.contracts.tokens import Tokens
from oidc import (
    access_tokens,
    delegation,
    exchange_subjects,
    exchanged_tokens,
    grant_policy,
    id_jag,
    oauth_switches,
    provider_grants,
    scope_catalogue,
    token_types,
)
from oidc.delegation import Delegation
from oidc.deps import Deps
from oidc.exchange_subjects import ExchangeSubject
from oidc.oauth_parameters import OAuthParameters
from oidc.queries import exchange_policies
from oidc.queries.clients import RegisteredClient
from oidc.token_request import TokenRequest

MOST_TARGETS: Final = 20
NO_POLICY: Final = "no policy lets this client exchange the subject token"


@dataclass(frozen=True, slots=True)
class ExchangeParameters:
    """The parameters of the request (section 2.1). `targets` are those of `resource` and `audience`."""

    subject_token: str = field(repr=False)
    subject_token_type: str
    actor_token: str | None = field(repr=False)
    requested_type: str
    targets: list[str]
    scope: str | None


async def handle(deps: Deps, ctx: Context, request: TokenRequest) -> Tokens:
    """Exchanges a token. Raises OAuthError `invalid_request` for a token that is not accepted, InvalidTarget
    and InvalidScope."""
    await oauth_switches.check_token_exchange(deps, ctx)
    client, wish = request.client, _read(request.parameters)
    if wish.subject_token_type == token_types.JWT:
        return await _exchange_assertion(deps, ctx, request, wish)
    subject = await exchange_subjects.find(
        deps, ctx, client, wish.subject_token, token_type=wish.subject_token_type
    )
    if wish.requested_type == token_types.ID_JAG:
        return await id_jag.issue(
            deps, ctx, request, subject, audience=_one_audience(request.parameters)
        )
    delegated = await _delegation(deps, ctx, client, subject, actor_token=wish.actor_token)
    policy = await _policy(deps, ctx, client, subject)
    audience = await _target(deps, ctx, policy, subject, requested=wish.targets)
    ceiling = [name for name in subject.scopes if name in policy.scopes and name in client.scopes]
    scopes = grant_policy.narrow_scopes(wish.scope, _without_user_scopes(ceiling))
    return await exchanged_tokens.issue(
        deps, ctx, request, subject, delegated=delegated, scopes=scopes, audience=audience
    )


def _read(parameters: OAuthParameters) -> ExchangeParameters:
    """Returns the parameters. Raises OAuthError for a missing one and for unknown types."""
    actor_token = parameters.get("actor_token")
    if (actor_token is None) != (parameters.get("actor_token_type") is None):
        raise OAuthError("actor_token and actor_token_type belong together")
    if actor_token is not None and parameters["actor_token_type"] != token_types.ACCESS_TOKEN:
        raise OAuthError("actor_token_type is not supported")
    requested_type = parameters.get("requested_token_type") or token_types.ACCESS_TOKEN
    if requested_type not in (token_types.ACCESS_TOKEN, token_types.ID_JAG):
        raise OAuthError("requested_token_type is not supported")
    targets = [*parameters.values_of("resource"), *parameters.values_of("audience")]
    if len(targets) > MOST_TARGETS:
        raise InvalidTarget("there are too many targets")
    return ExchangeParameters(
        subject_token=parameters.required("subject_token"),
        subject_token_type=parameters.required("subject_token_type"),
        actor_token=actor_token,
        requested_type=requested_type,
        targets=list(dict.fromkeys(targets)),
        scope=parameters.get("scope"),
    )


def _one_audience(parameters: OAuthParameters) -> str:
    """Returns the other authorization server. Raises OAuthError for none, and for several."""
    audiences = parameters.values_of("audience")
    if len(audiences) != 1:
        raise OAuthError("audience must be the issuer of one authorization server")
    return audiences[0]


async def _exchange_assertion(
    deps: Deps, ctx: Context, request: TokenRequest, wish: ExchangeParameters
) -> Tokens:
    """Exchanges an assertion of an identity provider, under the same kind of policy as our own tokens."""
    if wish.requested_type != token_types.ACCESS_TOKEN or wish.actor_token is not None:
        raise OAuthError(
            "an assertion is exchanged for an access token, and without an actor token"
        )
    try:
        tokens = await provider_grants.redeem(
            deps,
            ctx,
            request,
            wish.subject_token,
            targets=wish.targets,
            actor={"sub": request.client.client_id},
        )
    except InvalidGrant as error:
        raise OAuthError(error.detail or exchange_subjects.NOT_VALID) from None
    return tokens.model_copy(update={"issued_token_type": token_types.ACCESS_TOKEN})


async def _delegation(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    subject: ExchangeSubject,
    *,
    actor_token: str | None,
) -> Delegation:
    """Returns who acts, and which tokens and clients the new token depends on."""
    tokens, clients = list(subject.tokens), {**subject.clients, client.client_id: client.epoch}
    not_after, actor = subject.expires_at, None
    if actor_token is not None:
        valid = await access_tokens.find_valid(deps, ctx, actor_token)
        if valid is None or valid.claims["client_id"] != client.client_id:
            raise OAuthError("the actor token is not valid, or was not issued to this client")
        if "act" in valid.claims:
            raise OAuthError("the actor is represented by somebody else")
        actor = {"sub": valid.claims["sub"]}
        tokens.append(valid.claims["jti"])
        not_after = min(not_after, int(valid.claims["exp"]))
    elif subject.client_id != client.client_id:
        actor = {"sub": client.client_id}
    if actor is not None:
        delegation.check_may_act(subject.claims.get("may_act"), actor, ctx.origin)
    act = delegation.chain(actor, subject.claims.get("act"))
    return Delegation(act, not_after, tokens, clients)


async def _policy(
    deps: Deps, ctx: Context, client: RegisteredClient, subject: ExchangeSubject
) -> ExchangePolicy:
    """Returns the policy for tokens of the subject's client. Raises OAuthError if there is none."""
    async with deps.db.reader(ctx) as db:
        policy = await exchange_policies.find(
            db,
            app_id=ctx.app_id,
            client_id=client.client_id,
            subject_client_id=subject.client_id,
            audience=None,
        )
    if policy is None:
        raise OAuthError(NO_POLICY)
    return policy


async def _target(
    deps: Deps,
    ctx: Context,
    policy: ExchangePolicy,
    subject: ExchangeSubject,
    *,
    requested: list[str],
) -> list[str]:
    """Returns the APIs that the new token is for. Raises InvalidTarget for one outside of the policy.

    An access token for our own API was never granted for another one, so it becomes none.
    """
    if subject.resources is not None and not subject.resources:
        raise InvalidTarget("the subject token is for no API")
    if not requested:
        kept = [name for name in policy.resources if name in (subject.resources or ())]
        requested = kept or (policy.resources if len(policy.resources) == 1 else [])
    if not requested or not set(requested) <= set(policy.resources):
        raise InvalidTarget("the policy of the client does not have this target")
    return await grant_policy.select_resources(deps, ctx, requested)


def _without_user_scopes(names: list[str]) -> list[str]:
    return [name for name in names if name not in scope_catalogue.NEEDS_USER]
