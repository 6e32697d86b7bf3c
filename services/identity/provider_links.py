"""A signed-in user with a provider: connecting an account, and confirming a session."""

from __future__ import annotations

from common.context import Context
from common.contracts.provider_sign_in import ProviderOutcome
from common.db import Db
from identity import guests, identity_linking, provider_resolution, session_start
from identity.deps import Deps
from identity.provider_failures import SignInEnded
from identity.provider_flow import Resolution, SignInFlow
from identity.provider_settlement import settled
from identity.provider_states import SignInState
from identity.session_start import StartedSession


async def finish(deps: Deps, ctx: Context, flow: SignInFlow, state: SignInState) -> ProviderOutcome:
    """Finishes for the user who started, as long as they are the one who is signed in. Raises
    SignInEnded."""
    user_id = ctx.caller.user_id
    if user_id is None or user_id != state.row.link_user_id:
        raise SignInEnded("other_account", "session", "another user is signed in, or nobody")
    if state.row.purpose == "link":
        return await settled(deps, ctx, flow, _connect)
    # A link is for the user, whose session may have been replaced since. A confirmation is for a session.
    if state.row.session_id != ctx.caller.session_id:
        raise SignInEnded("other_account", "session", "another session is active")
    if flow.account.auth_time is None:
        raise SignInEnded("not_fresh", "id_token", "no auth_time")
    return await settled(deps, ctx, flow, _confirm)


async def _connect(deps: Deps, ctx: Context, tx: Db, flow: SignInFlow) -> Resolution:
    assert ctx.caller.user_id is not None
    return await connect(deps, ctx, tx, flow, user_id=ctx.caller.user_id, by="user")


async def connect(
    deps: Deps, ctx: Context, tx: Db, flow: SignInFlow, *, user_id: str, by: str
) -> Resolution:
    """Connects the account to a user, or refreshes the connection that they have. Raises
    SignInEnded if another user has it."""
    account = await provider_resolution.locked(ctx, tx, user_id)
    if account.disabled:
        raise SignInEnded("account_disabled", "account", "the user is disabled")
    link = await provider_resolution.link_of(ctx, tx, flow)
    if link is None:
        await identity_linking.connect(
            deps,
            ctx,
            tx,
            provider=flow.provider,
            provider_account=flow.account,
            user_id=user_id,
            by=by,
        )
        if await guests.upgrade(ctx, tx, user_id, method="idp"):
            return Resolution(await _upgraded(deps, ctx, tx, flow, user_id=user_id))
    elif link.user_id != user_id:
        raise SignInEnded("link_taken", "link", "another user has connected this account")
    else:
        await identity_linking.refresh(
            deps,
            ctx,
            tx,
            link.id,
            provider=flow.provider,
            provider_account=flow.account,
            user_id=user_id,
        )
    return Resolution()


async def _upgraded(
    deps: Deps, ctx: Context, tx: Db, flow: SignInFlow, *, user_id: str
) -> StartedSession:
    """Replaces the session of a guest, who is a full user now, by one that shows the provider."""
    account = await provider_resolution.locked(ctx, tx, user_id)
    result = flow.result(previous=ctx.caller.session_id, upgrades_guest=True)
    return await session_start.begin(deps, ctx, tx, flow.tenant, account=account, result=result)


async def _confirm(deps: Deps, ctx: Context, tx: Db, flow: SignInFlow) -> Resolution:
    link = await provider_resolution.link_of(ctx, tx, flow)
    if link is None or link.user_id != ctx.caller.user_id:
        raise SignInEnded("other_account", "link", "the account is not the signed-in user's")
    started = await provider_resolution.sign_in_linked(
        deps, ctx, tx, flow, link=link, previous=ctx.caller.session_id
    )
    return Resolution(started)
