"""The row of a new session, and what belongs to it: the record of the sign-in, and the mail about a new
device."""

from __future__ import annotations

from typing import Any

from common import audit
from common.context import Context
from common.contracts.sessions import Session
from common.contracts.sign_in import WrongCredentials
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.sessions import ImpersonationStarted, Login
from common.events.users import GuestKept
from common.ids import new_id
from identity import gate, notices, session_lifetimes
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.devices import device_hash, device_hashes, device_name
from identity.queries import accounts, session_ends, session_starts
from identity.queries.accounts import Account
from identity.queries.session_starts import InsertedSession, NewSession
from identity.queries.sessions import actor_of
from identity.queries.sign_in_facts import SignInFacts


async def insert(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    token: str,
    facts: SignInFacts,
) -> tuple[Session, bool]:
    """Inserts the session, ends the one it replaces, and notifies the user of a new device. Returns
    the session, and whether the device is new."""
    new = _new_session(deps, ctx, tenant, account=account, result=result, token=token, facts=facts)
    inserted = await session_starts.insert(tx, new)
    if inserted is None:
        raise WrongCredentials
    if result.previous is not None:
        await session_ends.revoke(
            tx, app_id=ctx.app_id, id=result.previous, user_id=account.id, reason="replaced"
        )
    await _record_kept_guest(ctx, tx, account, result)
    new_device = inserted.new_device and not result.new_user
    if result.auth_time is None:
        await _record(ctx, tx, new, account=account, result=result, new_device=new_device)
    if new_device:
        data = {"device": new.device_name, "ip": ctx.ip, "place": new.place}
        await notices.send(deps, ctx, tx, tenant, owner=account, kind="new_device", **data)
    return _session(new.id, account, result, inserted, facts=facts), new_device


async def _record_kept_guest(
    ctx: Context, tx: Db, account: Account, result: AuthenticationResult
) -> None:
    """Records that a guest of the browser has signed in to another account, and stays."""
    if result.kept_guest_id is None or result.kept_guest_id == account.id:
        return
    guest = await accounts.by_id(tx, app_id=ctx.app_id, id=result.kept_guest_id)
    if guest is not None and guest.guest:
        kept = GuestKept(guest_id=guest.id, user_id=account.id)
        await audit.record(tx, ctx, kept, user_id=account.id)


async def _record(
    ctx: Context,
    tx: Db,
    new: NewSession,
    *,
    account: Account,
    result: AuthenticationResult,
    new_device: bool,
) -> None:
    """Records the sign-in. An impersonation is none: the user has not signed in."""
    actor = result.actor
    if actor is None:
        login = Login(
            method=result.method, session_id=new.id, amr=result.all_amr, new_device=new_device
        )
        await audit.record(tx, ctx, login, user_id=account.id)
        return
    started = ImpersonationStarted(
        session_id=new.id,
        user_id=account.id,
        actor_id=actor.id,
        actor_kind="user" if actor.app_id == ctx.app_id else "developer",
        reason=actor.reason,
        minutes=actor.minutes,
    )
    await audit.record(tx, ctx, started, user_id=account.id)


def _new_session(
    deps: Deps,
    ctx: Context,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    token: str,
    facts: SignInFacts,
) -> NewSession:
    nameless = bool(result.previous or result.actor)
    return NewSession(
        app_id=ctx.app_id,
        id=new_id(),
        user_id=account.id,
        token_hash=deps.keys.hash("session", token),
        idp_name=result.idp_name,
        idp_org_id=result.sso_org_id,
        acr=result.earned,
        amr=result.all_amr,
        remembered=result.remember and not tenant.is_dashboard,
        previous_id=result.previous,
        ip=ctx.ip,
        agent=(ctx.agent or "")[:512] or None,
        device_name=device_name(ctx.agent),
        place=deps.geoip.place(ctx.ip),
        device_hash=None if nameless else device_hash(deps.keys, result.browser, ctx.agent),
        known_device_hashes=device_hashes(deps.keys, result.browser, ctx.agent),
        auth_time=result.auth_time,
        factor=result.factor,
        factor_time=result.factor_time,
        earlier_factor_times=result.earlier.factor_times if result.earlier else {},
        ttl=_lifetime(tenant, result),
        idle_ttl=session_lifetimes.idle(tenant, remember=False),
        idle_ttl_remembered=session_lifetimes.idle(tenant, remember=True),
        **_actor_columns(result),
        phc=result.phc,
        closed_org_ids=gate.closed_organizations(facts, result),
    )


def _actor_columns(result: AuthenticationResult) -> dict[str, Any]:
    actor = result.actor
    return {
        "actor_id": actor.id if actor else None,
        "actor_app_id": actor.app_id if actor else None,
        "actor_session": actor.session_id if actor else None,
        "actor_reason": actor.reason if actor else None,
    }


def _lifetime(tenant: Tenant, result: AuthenticationResult) -> int:
    """Returns the seconds until the session ends."""
    if result.actor is not None:
        return result.actor.minutes * 60
    return session_lifetimes.absolute(tenant, remember=result.remember)


def _session(
    id: str,
    account: Account,
    result: AuthenticationResult,
    inserted: InsertedSession,
    *,
    facts: SignInFacts,
) -> Session:
    return Session(
        id=id,
        user_id=account.id,
        email=account.email,
        email_verified=account.email_verified,
        name=account.name,
        picture=account.picture,
        locale=account.locale,
        zoneinfo=account.zoneinfo,
        guest=account.guest,
        auth_time=inserted.auth_time,
        acr=result.earned,
        amr=result.all_amr,
        factor_times=inserted.factor_times,
        second_factors=facts.second_factors,
        active_org_id=inserted.active_org_id,
        created_at=inserted.created_at,
        expires_at=inserted.expires_at,
        idle_expires_at=inserted.idle_expires_at,
        remembered=inserted.remembered,
        actor=actor_of(inserted.actor_id, inserted.actor_kind, inserted.actor_session),
    )
