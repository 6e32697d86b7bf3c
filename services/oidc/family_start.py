"""Starts the token family of a user's grant, for every grant that a user has approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, Protocol

from common import audit
from common.context import Context
from common.contracts.oauth_errors import InvalidGrant
from common.contracts.tokens import Tokens
from common.events.base import Event
from common.events.tokens import TokenIssued
from oidc import bindings, grant_policy, refresh_token_text, token_response
from oidc.delegation import NOT_EXCHANGED, Delegation
from oidc.deps import Deps
from oidc.queries import family_start
from oidc.queries.code_exchange import RedeemedCode
from oidc.queries.family_start import NewFamily, StartedFamily
from oidc.queries.token_grants import GRANT_COLUMNS, USER_COLUMNS, TokenGrant
from oidc.subjects import sid, subject
from oidc.token_request import TokenRequest

ENDED = "the user's session has ended, or their grant was revoked"


class GrantContent(Protocol):
    """The content of a code, or of the row of an approved request. `id` becomes that of the token family."""

    @property
    def id(self) -> str: ...
    @property
    def client_epoch(self) -> int: ...
    @property
    def user_id(self) -> str: ...
    @property
    def user_epoch(self) -> int: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def scopes(self) -> list[str]: ...
    @property
    def resource(self) -> list[str]: ...
    @property
    def claims(self) -> dict[str, Any] | None: ...
    @property
    def nonce(self) -> str | None: ...
    @property
    def auth_time(self) -> datetime: ...
    @property
    def acr(self) -> str | None: ...
    @property
    def amr(self) -> list[str]: ...
    @property
    def org_id(self) -> str | None: ...
    @property
    def revocations(self) -> list[str]: ...
    @property
    def cnf(self) -> dict[str, Any] | None: ...
    @property
    def authorization_details(self) -> list[dict[str, Any]] | None: ...


@dataclass(frozen=True, slots=True)
class SingleToken:
    """A grant that gives one access token and no refresh token. Its family is kept for `lifetime` seconds.
    `event` says what was redeemed, and `delegated` who acts for the user."""

    lifetime: float
    event: Event
    delegated: Delegation


def new_refresh_token(request: TokenRequest, content: GrantContent) -> str | None:
    """Returns a refresh token, or None if the client uses none."""
    if "refresh_token" not in request.client.grant_types:
        return None
    return refresh_token_text.new(content.scopes)


def new_family(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    content: GrantContent,
    *,
    refresh_token: str | None,
) -> NewFamily:
    """Returns the family to store. It is bound to what the request proves."""
    client, session_id = request.client, content.session_id
    return NewFamily(
        app_id=ctx.app_id,
        id=content.id,
        client_id=client.client_id,
        client_epoch=content.client_epoch,
        user_id=content.user_id,
        user_epoch=content.user_epoch,
        session_id=session_id,
        sid=sid(deps.keys, ctx.app_id, client.client_id, session_id) if session_id else None,
        scopes=content.scopes,
        resource=content.resource,
        claims=content.claims,
        nonce=content.nonce,
        auth_time=content.auth_time,
        acr=content.acr,
        amr=content.amr,
        org_id=content.org_id,
        cnf=request.cnf,
        authorization_details=content.authorization_details,
        revocations=content.revocations,
        refresh_hash=deps.keys.hash("refresh", refresh_token) if refresh_token else None,
        refresh_lifetime=client.refresh_token_lifetime,
        max_lifetime=client.refresh_token_max_lifetime,
        issuer=ctx.origin,
        subject=subject(deps.keys, client, content.user_id),
    )


def issued_event(ctx: Context, family: NewFamily) -> audit.Entry:
    """Returns the event of the family's start."""
    return audit.entry(
        ctx,
        TokenIssued(client_id=family.client_id, scopes=family.scopes),
        user_id=family.user_id,
        session_id=family.session_id,
        org_id=family.org_id,
    )


def token_grant(family: NewFamily, started: StartedFamily | RedeemedCode) -> TokenGrant:
    """Returns the grant that the family's first tokens are issued from."""
    values: dict[str, Any] = {name: getattr(family, name) for name in GRANT_COLUMNS.split(", ")}
    for name in (*USER_COLUMNS.split(", "), "user_epoch"):
        values[name] = getattr(started, name)
    return TokenGrant(
        family_id=family.id,
        org_role=started.org_role,
        issued_at=started.issued_at,
        actor_id=started.actor_id,
        actor_app_id=started.actor_app_id,
        **values,
    )


async def redeem(
    deps: Deps,
    ctx: Context,
    request: TokenRequest,
    content: GrantContent,
    *,
    statement: LiteralString,
    consumed: Sequence[Any],
    kind: str,
    single: SingleToken | None = None,
) -> Tokens:
    """Consumes a grant that a user has approved, starts its token family, and returns the tokens.

    `statement` is composed with START_FAMILY, and `consumed` are the parameters of its consumption. `kind` names
    the grant in the tokens' `jti`. With `single`, there is one access token. Raises InvalidGrant if the grant was consumed before, if its client was
    disabled since, or if its user, their session or a revocation forbids it; InvalidTarget if the request
    names a resource that was not granted.
    """
    client = request.client
    grant_policy.check_epoch(client, content.client_epoch)
    bindings.check_grant(content.cnf, request.cnf)
    requested = request.parameters.values_of("resource")
    resource = grant_policy.narrow_resources(requested, content.resource)
    refresh_token = None if single else new_refresh_token(request, content)
    family = new_family(deps, ctx, request, content, refresh_token=refresh_token)
    entry = issued_event(ctx, family)
    if single is not None:
        family = family._replace(max_lifetime=single.lifetime)
        entry = audit.entry(ctx, single.event, user_id=family.user_id)
    async with deps.db.autocommit(ctx) as db:
        started = await family_start.start(db, statement, family, entry, consumed=tuple(consumed))
    if started is None:
        raise InvalidGrant(ENDED)
    grant = token_grant(family, started)
    return await token_response.for_grant(
        deps,
        ctx,
        client,
        grant,
        seed=f"{kind} {content.id}",
        resource=resource,
        refresh_token=None if grant.actor_id else refresh_token,
        nonce=grant.nonce,
        delegated=single.delegated if single else NOT_EXCHANGED,
    )
