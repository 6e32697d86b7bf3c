"""Issues the access token of a token exchange, in the token family of the exchanged token."""

from __future__ import annotations

from dataclasses import replace

from common import audit
from common.context import Context
from common.contracts.oauth_errors import OAuthError
from common.contracts.tokens import Tokens
from common.crypto import token as random_token
from common.events.tokens import TokenExchanged
from oidc import delegation, token_response, token_types
from oidc.bindings import Binding
from oidc.delegation import Delegation
from oidc.deps import Deps
from oidc.exchange_subjects import NOT_VALID, ExchangeSubject
from oidc.queries import access_tokens, token_exchange, token_grants
from oidc.queries.token_exchange import ExchangeWish
from oidc.queries.token_grants import TokenGrant
from oidc.timestamps import from_seconds
from oidc.token_request import TokenRequest


async def issue(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    subject: ExchangeSubject,
    *,
    delegated: Delegation,
    scopes: list[str],
    audience: list[str],
) -> Tokens:
    """Returns a token for these APIs with these scopes. Raises OAuthError if what is exchanged was revoked
    since it was read.

    The token is bound to what the request proves, else to what the exchanged token is bound to.
    """
    cnf = request.cnf or subject.claims.get("cnf")
    if subject.family_id is None:
        tokens = await _of_client(
            deps,
            ctx,
            request,
            subject,
            delegated=delegated,
            scopes=scopes,
            audience=audience,
            cnf=cnf,
        )
    else:
        wish = _wish(
            ctx, subject, subject.family_id, delegated, scopes=scopes, audience=audience, cnf=cnf
        )
        grant = await _find_grant(deps, ctx, wish)
        tokens = await token_response.for_grant(
            deps, ctx, request.client, grant, seed=_seed(), refresh_token=None, delegated=delegated
        )
    await _record(
        deps, ctx, request, subject, delegated=delegated, tokens=tokens, audience=audience
    )
    return tokens.model_copy(update={"issued_token_type": token_types.ACCESS_TOKEN})


def _seed() -> str:
    """Each exchange gives another token: two that are revoked one by one never share a `jti`."""
    return random_token("", 16)


async def _of_client(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    subject: ExchangeSubject,
    *,
    delegated: Delegation,
    scopes: list[str],
    audience: list[str],
    cnf: Binding | None,
) -> Tokens:
    """Returns a token for what another client got for itself."""
    async with deps.db.reader(ctx) as db:
        if await access_tokens.any_revoked(db, app_id=ctx.app_id, jtis=delegated.tokens):
            raise OAuthError(NOT_VALID)
    return await token_response.for_client(
        deps,
        ctx,
        request.client,
        scopes=scopes,
        resource=audience,
        cnf=cnf,
        sub=subject.sub,
        delegated=delegated,
    )


def _wish(
    ctx: Context,
    subject: ExchangeSubject,
    family_id: str,
    delegated: Delegation,
    *,
    scopes: list[str],
    audience: list[str],
    cnf: Binding | None,
) -> ExchangeWish:
    claims = subject.claims
    return ExchangeWish(
        app_id=ctx.app_id,
        family_id=family_id,
        user_epoch=subject.epoch,
        tokens=delegated.tokens,
        scopes=scopes,
        resource=audience,
        auth_time=from_seconds(claims.get("auth_time", claims["iat"])),
        acr=claims.get("acr"),
        amr=claims.get("amr", []),
        org_id=claims.get("org_id"),
        cnf=cnf,
        authorization_details=claims.get("authorization_details"),
    )


async def _find_grant(deps: Deps, ctx: Context, wish: ExchangeWish) -> TokenGrant:
    """Returns the grant, with the user's present role in the organization of the exchanged token."""
    async with deps.db.reader(ctx) as db:
        grant = await token_exchange.find_grant(db, wish)
        if grant is None:
            raise OAuthError(NOT_VALID)
        if grant.org_id is None:
            return grant
        role = await token_grants.find_org_role(
            db,
            app_id=ctx.app_id,
            org_id=grant.org_id,
            user_id=grant.user_id,
            session_id=grant.session_id,
        )
    return replace(grant, org_role=role)


async def _record(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    subject: ExchangeSubject,
    *,
    delegated: Delegation,
    tokens: Tokens,
    audience: list[str],
) -> None:
    """Records who acts for whom. The token is given out only after that is committed."""
    event = TokenExchanged(
        client_id=request.client.client_id,
        subject=subject.user_id or subject.sub,
        subject_client_id=subject.client_id,
        actors=[str(actor["sub"]) for actor in delegation.actors(delegated.act)],
        audience=audience,
        scopes=(tokens.scope or "").split(),
    )
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, event, user_id=subject.user_id)
