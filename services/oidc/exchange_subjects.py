"""Reads the tokens of a token exchange: whose they are, and what they allow (RFC 8693 section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc import (
    access_tokens,
    jose,
    json_web_keys,
    keys,
    scope_catalogue,
    token_audience,
    token_types,
)
from oidc.access_tokens import ValidAccessToken
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.queries import consents, token_exchange
from oidc.queries.clients import RegisteredClient
from oidc.timestamps import now

NOT_VALID = "the subject token is not valid"


@dataclass(frozen=True, kw_only=True)
class ExchangeSubject:
    """A token of this application that a client may exchange, if a policy lets it.

    `client_id` is the client that it was issued to. `family_id` and `user_id` are None for a client's own token.
    `resources` are the APIs that it is for; None for an ID token, which is for none. `tokens` are its `jti` and
    those that it was exchanged for, and `clients` the epochs of all their clients.
    """

    client_id: str
    sub: str
    user_id: str | None
    family_id: str | None
    epoch: int
    scopes: list[str]
    resources: list[str] | None
    claims: dict[str, Any] = field(repr=False)
    tokens: list[str]
    clients: dict[str, int]
    guest: bool = False
    represented: bool = False
    """Whether somebody acts as the user."""

    @property
    def expires_at(self) -> int:
        """When the token expires, in epoch seconds."""
        return int(self.claims["exp"])


async def find(
    deps: Deps, ctx: Context, client: RegisteredClient, token: str, *, token_type: str
) -> ExchangeSubject:
    """Returns the subject of a token that is valid now and was meant for this client. Raises OAuthError
    `invalid_request` (RFC 8693 section 2.2.2)."""
    if token_type == token_types.ACCESS_TOKEN:
        return await _of_access_token(deps, ctx, client, token)
    if token_type == token_types.ID_TOKEN:
        return await _of_id_token(deps, ctx, client, token)
    raise OAuthError("subject_token_type is not supported")


async def _of_access_token(
    deps: Deps, ctx: Context, client: RegisteredClient, token: str
) -> ExchangeSubject:
    valid = await access_tokens.find_valid(deps, ctx, token)
    if valid is None:
        raise OAuthError(NOT_VALID)
    claims = valid.claims
    if not token_audience.concerns(client, valid):
        raise OAuthError("the subject token is neither for this client nor issued to it")
    return ExchangeSubject(
        client_id=claims["client_id"],
        sub=claims["sub"],
        user_id=valid.grant.user_id,
        family_id=valid.grant.family_id,
        epoch=claims["epoch"],
        scopes=valid.scopes,
        resources=[] if valid.is_for_issuer else valid.audience,
        claims=claims,
        tokens=[claims["jti"], *_exchanged(claims).get("tokens", [])],
        clients=await _clients(deps, ctx, valid),
        guest=valid.grant.guest,
        represented=valid.grant.actor_id is not None,
    )


def _exchanged(claims: dict[str, Any]) -> dict[str, Any]:
    """Returns what a token that was exchanged itself owes to earlier ones."""
    value: dict[str, Any] = claims.get("exchanged") or {}
    return value


async def _clients(deps: Deps, ctx: Context, valid: ValidAccessToken) -> dict[str, int]:
    """Returns the epochs of the token's client and of those before it."""
    client = await find_registered(deps, ctx, valid.claims["client_id"])
    if client is None:
        raise OAuthError(NOT_VALID)
    return {**_exchanged(valid.claims).get("clients", {}), client.client_id: client.epoch}


async def _of_id_token(
    deps: Deps, ctx: Context, client: RegisteredClient, token: str
) -> ExchangeSubject:
    """An ID token is for the client that it was issued to, and for nobody else. It belongs to the token family
    of its session, and allows what the user has allowed this client."""
    claims = await _verified_id_token(deps, ctx, token)
    if claims["aud"] != client.client_id:
        raise OAuthError("the ID token was not issued to this client")
    sid = claims.get("sid")
    if not isinstance(sid, str):
        raise OAuthError("the ID token has no sid")
    async with deps.db.reader(ctx) as db:
        family = await token_exchange.find_family(
            db, app_id=ctx.app_id, sid=sid, client_id=client.client_id
        )
    if family is None or family.client_epoch != client.epoch:
        raise OAuthError(NOT_VALID)
    return ExchangeSubject(
        client_id=client.client_id,
        sub=claims["sub"],
        user_id=family.user_id,
        family_id=family.family_id,
        epoch=family.user_epoch,
        scopes=await _allowed_scopes(deps, ctx, client, family.user_id),
        resources=None,
        claims=claims,
        tokens=[],
        clients={client.client_id: client.epoch},
        guest=family.guest,
        represented=family.actor_id is not None,
    )


async def _verified_id_token(deps: Deps, ctx: Context, token: str) -> dict[str, Any]:
    """Returns the claims of an ID token of this application that has not expired."""
    key_set = await keys.get_key_set(deps, ctx)
    try:
        claims = jose.verify(token, key_set.verifying.get, types=frozenset({jose.ID_TOKEN}))
    except json_web_keys.BadToken:
        raise OAuthError(NOT_VALID) from None
    if claims.get("token_use", "id") != "id" or claims["exp"] <= now():
        raise OAuthError(NOT_VALID)
    if not await access_tokens.is_own_issuer(deps, ctx, claims["iss"]):
        raise OAuthError(NOT_VALID)
    return claims


async def _allowed_scopes(
    deps: Deps, ctx: Context, client: RegisteredClient, user_id: str
) -> list[str]:
    """Returns the scopes that the user has allowed the client: all of them, if it is one of the
    application's own."""
    own = [name for name in client.scopes if name not in scope_catalogue.NEEDS_USER]
    if client.first_party:
        return own
    async with deps.db.reader(ctx) as db:
        consent = await consents.find(
            db, app_id=ctx.app_id, user_id=user_id, client_id=client.client_id
        )
    return [name for name in own if consent is not None and name in consent.scopes]
