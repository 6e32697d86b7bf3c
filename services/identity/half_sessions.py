"""Half sessions: the user has shown one factor, and another is missing.

A half session has a token and a cookie of its own, so it is never mistaken for a session. It proves one
sign-in: it ends when the session starts, after five wrong codes, after ten minutes, and as soon as the
user's password, factors or address change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from common.context import Context
from common.contracts.sessions import (
    NoSession,
    SecondFactor,
    SecondFactorChallenge,
    SignedInSession,
)
from common.contracts.sign_in import WrongCredentials
from common.crypto import token as new_token
from common.db import Db
from common.ids import new_id
from identity import form_token
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.devices import device_name
from identity.form_token import FormTokens
from identity.gate import Missing
from identity.queries import accounts, half_sessions
from identity.queries.accounts import Account
from identity.queries.half_sessions import HalfSession, NewHalfSession
from identity.queries.sign_in_facts import SignInFacts

TTL: Final = 600
"""Seconds."""
PURPOSE: Final = "half_session"
"""The label of the tokens' hashes: no token of a half session is one of a session."""


async def begin(
    deps: Deps,
    ctx: Context,
    tx: Db,
    *,
    account: Account,
    result: AuthenticationResult,
    missing: Missing,
    facts: SignInFacts,
) -> SignedInSession:
    """Starts a half session for a user whose row is locked, or returns the one that the same form
    started before. Raises WrongCredentials if the password was changed in the meantime."""
    if result.phc is not None and not await accounts.has_password_hash(
        tx, app_id=ctx.app_id, id=account.id, phc=result.phc
    ):
        raise WrongCredentials
    tokens = form_token.of_result(deps, ctx, result)
    if tokens is not None:
        repeated = await of_form(ctx, tx, tokens, user_id=account.id)
        if repeated is not None:
            return repeated.model_copy(update={"new_user": result.new_user})
    token = new_token() if tokens is None else tokens.own
    new = _new_half_session(
        deps, ctx, account=account, result=result, missing=missing, facts=facts, token=token
    )
    half = await half_sessions.insert(tx, app_id=ctx.app_id, new=new)
    if half is None:  # the form has started one before, which has ended or is another user's
        token = new_token()
        new = replace(new, token_hash=deps.keys.hash(PURPOSE, token))
        half = await half_sessions.insert(tx, app_id=ctx.app_id, new=new)
    assert half is not None
    return _reply(token, half, new_user=result.new_user)


def _reply(token: str, half: HalfSession, *, new_user: bool = False) -> SignedInSession:
    return SignedInSession(
        token=token, session=None, challenge=challenge_of(half), new_user=new_user
    )


def _new_half_session(
    deps: Deps,
    ctx: Context,
    *,
    account: Account,
    result: AuthenticationResult,
    missing: Missing,
    facts: SignInFacts,
    token: str,
) -> NewHalfSession:
    assert result.factor is not None
    return NewHalfSession(
        id=new_id(),
        user_id=account.id,
        token_hash=deps.keys.hash(PURPOSE, token),
        kind=missing.kind,
        idp_name=result.idp_name,
        idp_org_id=result.sso_org_id,
        acr=result.earned,
        amr=result.amr,
        factor=result.factor,
        factor_time=result.factor_time,
        factor_epoch=facts.factor_epoch,
        remembered=result.remember,
        ip=ctx.ip,
        agent=(ctx.agent or "")[:512] or None,
        device_name=device_name(ctx.agent),
        ttl=TTL,
        pending={
            "method": result.method,
            "email": account.email,
            "factors": missing.factors,
            "new_user": result.new_user,
            "joins_team": result.joins_team,
            "kept_guest_id": result.kept_guest_id,
        },
    )


async def of_form(
    ctx: Context, db: Db, tokens: FormTokens, *, user_id: str | None = None
) -> SignedInSession | None:
    """Returns the live half session that a form with one of these tokens started, for this user if one is
    given, or None."""
    half = await half_sessions.get(db, app_id=ctx.app_id, token_hashes=tokens.hashes(PURPOSE))
    if half is None or user_id not in (None, half.user_id):
        return None
    return _reply(tokens.stored_as(half.token_hash), half)


def challenge_of(half: HalfSession) -> SecondFactorChallenge:
    """Returns what is missing, as the contracts have it."""
    return SecondFactorChallenge(
        kind=half.kind,
        factors=half.pending["factors"],
        email=half.pending["email"],
        expires_at=half.expires_at,
    )


async def get(deps: Deps, ctx: Context, db: Db, token: str) -> HalfSession:
    """Returns the live half session of a token. Raises NoSession."""
    half = await half_sessions.get(
        db, app_id=ctx.app_id, token_hashes=deps.keys.hashes(PURPOSE, token)
    )
    if half is None:
        raise NoSession
    return half


async def count_try(deps: Deps, ctx: Context, half: HalfSession) -> None:
    """Counts a try before the code is checked, in a transaction of its own. Raises NoSession if five
    tries were wrong."""
    async with deps.db.transaction(ctx) as tx:
        if not await half_sessions.count_try(tx, app_id=ctx.app_id, id=half.id):
            raise NoSession


async def consume(ctx: Context, tx: Db, half: HalfSession) -> tuple[Account, HalfSession]:
    """Locks the user's row and ends the half session. The caller starts the session with `completed`.
    Raises NoSession if the half session has ended."""
    await accounts.lock(tx, app_id=ctx.app_id, id=half.user_id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=half.user_id)
    consumed = await half_sessions.consume(tx, app_id=ctx.app_id, id=half.id, user_id=half.user_id)
    if account is None or consumed is None:
        raise NoSession
    return account, consumed


def completed(
    consumed: HalfSession, *, factor: SecondFactor, amr: list[str], browser: str | None
) -> AuthenticationResult:
    """Returns the result of the whole sign-in: that of the half session and the second factor."""
    return AuthenticationResult(
        method=consumed.pending["method"],
        factor=factor,
        amr=amr,
        browser=browser,
        remember=consumed.remembered,
        idp_name=consumed.idp_name,
        earlier=consumed,
        new_user=consumed.pending["new_user"],
        joins_team=consumed.pending["joins_team"],
        kept_guest_id=consumed.pending.get("kept_guest_id"),
    )
