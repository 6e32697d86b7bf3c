"""The start of a session: every way of signing in ends here.

No other place starts sessions. So what must hold for all of them is checked here: the user is not
disabled, and the password was not changed in the meantime.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from common import audit, logs
from common.context import Context
from common.contracts.sessions import NoSession, Session, SignedInSession
from common.contracts.sign_in import AccountDisabled, WrongCredentials
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.sessions import Login
from common.events.users import UserVerified
from common.ids import DASHBOARD, new_id
from identity import idempotency, notices, session_lifetimes
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.devices import device_hash, device_name
from identity.queries import accounts, session_ends, session_starts
from identity.queries.accounts import Account
from identity.queries.session_starts import InsertedSession, NewSession
from identity.user_provisioning import provision_new_user

log = logs.get(__name__)


@dataclass(frozen=True)
class StartedSession:
    """A session that is committed with the transaction; `finish` does what follows."""

    reply: SignedInSession = field(repr=False)
    verified: bool
    provisioned: bool
    replaced: str | None = None
    personal_team: bool = False


async def begin(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
) -> StartedSession:
    """Starts a session in the transaction. Raises AccountDisabled; WrongCredentials if the password
    was changed in the meantime."""
    proven = await accounts.record_sign_in(
        tx, app_id=ctx.app_id, id=account.id, proves_email=result.email
    )
    if proven is None:
        raise AccountDisabled
    if proven:
        await accounts.mark_unprovisioned(tx, app_id=ctx.app_id, id=account.id)
        await audit.record(tx, ctx, UserVerified(user_id=account.id), user_id=account.id)
    return await _start(deps, ctx, tx, tenant, account=account, result=result, proven=proven)


async def _start(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    proven: bool,
) -> StartedSession:
    """Starts the session, or returns the one that the same form started before. `proven`: the
    address has just become verified."""
    token, earlier = await idempotency.session_token(
        deps,
        ctx,
        tx,
        user_id=account.id,
        browser=result.browser,
        remember=result.remember,
        key=result.idempotency_key,
    )
    must_change, provisioned = (
        bool(account.must_change and result.phc),
        account.provisioned_at is not None,
    )
    if earlier is not None:
        repeated = SignedInSession(token=token, session=earlier, must_change_password=must_change)
        return StartedSession(repeated, verified=False, provisioned=provisioned)
    session, new_device = await _insert(
        deps, ctx, tx, tenant, account=account, result=result, token=token, proven=proven
    )
    reply = SignedInSession(
        token=token,
        session=session,
        new_user=result.new_user,
        new_device=new_device,
        must_change_password=must_change,
    )
    personal_team = not provisioned and not result.joins_team
    return StartedSession(reply, proven, provisioned, result.previous, personal_team)


async def _insert(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    token: str,
    proven: bool,
) -> tuple[Session, bool]:
    """Inserts the session, ends the one it replaces, and notifies the user of a new device. Returns
    the session, and whether the device is new."""
    new = _new_session(deps, ctx, tenant, account=account, result=result, token=token)
    inserted = await session_starts.insert(tx, app_id=ctx.app_id, new=new)
    if inserted is None:
        raise WrongCredentials
    if result.previous is not None:
        await session_ends.revoke(
            tx, app_id=ctx.app_id, id=result.previous, user_id=account.id, reason="replaced"
        )
    new_device = inserted.new_device and not result.new_user
    if result.auth_time is None:
        event = Login(
            method=result.method, session_id=new.id, amr=result.amr, new_device=new_device
        )
        await audit.record(tx, ctx, event, user_id=account.id)
    if new_device:
        data = {"device": new.device_name, "ip": ctx.ip}
        await notices.send(deps, ctx, tx, tenant, owner=account, kind="new_device", **data)
    verified = account.email_verified or proven
    return _session(new.id, account, result, inserted, verified=verified), new_device


def _new_session(
    deps: Deps,
    ctx: Context,
    tenant: Tenant,
    *,
    account: Account,
    result: AuthenticationResult,
    token: str,
) -> NewSession:
    return NewSession(
        id=new_id(),
        user_id=account.id,
        token_hash=deps.keys.hash("session", token),
        idp_name=result.idp_name,
        acr=result.earned,
        amr=result.amr,
        remembered=result.remember and not tenant.is_dashboard,
        previous_id=result.previous,
        ip=ctx.ip,
        agent=(ctx.agent or "")[:512] or None,
        device_name=device_name(ctx.agent),
        device_hash=None if result.previous else device_hash(deps.keys, result.browser, ctx.agent),
        auth_time=result.auth_time,
        ttl=session_lifetimes.absolute(tenant, remember=result.remember),
        idle_ttl=session_lifetimes.idle(tenant, remember=False),
        idle_ttl_remembered=session_lifetimes.idle(tenant, remember=True),
        phc=result.phc,
    )


def _session(
    id: str,
    account: Account,
    result: AuthenticationResult,
    inserted: InsertedSession,
    *,
    verified: bool,
) -> Session:
    return Session(
        id=id,
        user_id=account.id,
        email=account.email,
        email_verified=verified,
        name=account.name,
        picture=account.picture,
        locale=account.locale,
        auth_time=inserted.auth_time,
        acr=result.earned,
        amr=result.amr,
        active_org_id=inserted.active_org_id,
        created_at=inserted.created_at,
        expires_at=inserted.expires_at,
        idle_expires_at=inserted.idle_expires_at,
        remembered=inserted.remembered,
    )


async def replace(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, *, account: Account, session_id: str
) -> StartedSession:
    """Gives the session a new id and token, because its rights change (OWASP ASVS, session
    management). Raises NoSession if it has ended."""
    kept = await session_starts.get_replaced(
        tx, app_id=ctx.app_id, id=session_id, user_id=account.id
    )
    if kept is None:
        raise NoSession
    result = AuthenticationResult(
        method="replaced",
        amr=kept.amr,
        acr=kept.acr,
        idp_name=kept.idp_name,
        remember=kept.remembered,
        previous=session_id,
        auth_time=kept.auth_time,
    )
    return await begin(deps, ctx, tx, tenant, account=account, result=result)


async def finish(deps: Deps, ctx: Context, started: StartedSession) -> SignedInSession:
    """Does what follows the commit: caches forget the replaced session, and a new user is
    provisioned. Returns the session."""
    session = started.reply.session
    if started.replaced is not None:
        await deps.invalidation.publish(ctx, "session", started.replaced)
    if started.verified:
        await deps.invalidation.publish(ctx, "user", session.user_id)
    if not started.provisioned or started.verified:
        await provision_new_user(
            deps,
            ctx,
            session.user_id,
            email=session.email,
            verified=session.email_verified,
            name=session.name,
            personal_team=started.personal_team,
        )
    if ctx.app_id == DASHBOARD:
        session = await session_lifetimes.of_dashboard(deps, ctx, session)
    return started.reply.model_copy(update={"session": session})
