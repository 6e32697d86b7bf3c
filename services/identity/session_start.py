"""The start of a session: every way of signing in ends here.

No other place starts sessions. So what must hold for all of them is checked here: the user is not
disabled, and the password was not changed in the meantime.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime

from common import acr, audit, logs
from common.context import Context
from common.contracts.assignments import AssignDefaultRole
from common.contracts.org_domains import JoinByDomain
from common.contracts.organizations import EnsurePersonalTeam
from common.contracts.sessions import NoSession, Session, SignedInSession
from common.contracts.sign_in import AccountDisabled, WrongCredentials
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.sessions import Login
from common.events.users import UserVerified
from common.ids import DASHBOARD, new_id
from common.problems import Problem
from identity import email_rules, idempotency, notices, session_lifetimes
from identity.deps import Deps
from identity.devices import device_hash, device_name
from identity.queries import accounts, codes, sessions
from identity.queries.accounts import Account
from identity.queries.sessions import InsertedSession

log = logs.get(__name__)


@dataclass(frozen=True)
class AuthenticationResult:
    """The proof of a sign-in. `email` is the address that was just proven, `phc` the hash that the
    password matched, `previous` the session that the new one replaces."""

    method: str
    amr: list[str]
    email: str | None = None
    phc: str | None = field(default=None, repr=False)
    browser: str | None = field(default=None, repr=False)
    remember: bool = False
    idempotency_key: str | None = field(default=None, repr=False)
    idp_name: str | None = None
    previous: str | None = None
    new_user: bool = False
    joins_team: bool = False
    """Whether a new user signed up by an invitation into an organization."""
    auth_time: datetime | None = None
    acr: str | None = None
    """Both of the replaced session, if nothing was proven again."""

    @property
    def earned(self) -> str:
        """The class of the sign-in (`acr`)."""
        return self.acr or acr.earned(self.amr, by_mail=self.email is not None)


@dataclass(frozen=True)
class StartedSession:
    """A session that is committed with the transaction; `finish` does what follows."""

    reply: SignedInSession = field(repr=False)
    verified: bool
    settled: bool
    replaced: str | None = None
    personal_team: bool = False


async def begin(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, account: Account, proof: AuthenticationResult
) -> StartedSession:
    """Starts a session in the transaction. Raises AccountDisabled; WrongCredentials if the password
    was changed in the meantime."""
    proven = await accounts.record_sign_in(
        tx, app_id=ctx.app_id, id=account.id, proves_email=proof.email
    )
    if proven is None:
        raise AccountDisabled
    if proven:
        await accounts.unsettle(tx, app_id=ctx.app_id, id=account.id)
        await audit.record(tx, ctx, UserVerified(user_id=account.id), user_id=account.id)
    token, earlier = await idempotency.session_token(
        deps,
        ctx,
        tx,
        user_id=account.id,
        browser=proof.browser,
        remember=proof.remember,
        key=proof.idempotency_key,
    )
    must_change = bool(account.must_change and proof.phc)
    if earlier is not None:
        repeated = SignedInSession(token=token, session=earlier, must_change_password=must_change)
        return StartedSession(repeated, verified=False, settled=account.settled_at is not None)
    id, device = new_id(), device_name(ctx.agent)
    inserted = await _insert(
        deps, ctx, tx, tenant, account, proof, id=id, token=token, device=device
    )
    if proof.previous is not None:
        await sessions.revoke(
            tx, app_id=ctx.app_id, id=proof.previous, user_id=account.id, reason="replaced"
        )
    new_device = inserted.new_device and not proof.new_user
    if proof.auth_time is None:
        event = Login(method=proof.method, session_id=id, amr=proof.amr, new_device=new_device)
        await audit.record(tx, ctx, event, user_id=account.id)
    if new_device:
        await notices.send(deps, ctx, tx, tenant, account, "new_device", device=device, ip=ctx.ip)
    reply = SignedInSession(
        token=token,
        session=_session(id, account, proof, inserted, verified=account.email_verified or proven),
        new_user=proof.new_user,
        new_device=new_device,
        must_change_password=must_change,
    )
    settled = account.settled_at is not None
    return StartedSession(
        reply, bool(proven), settled, proof.previous, not settled and not proof.joins_team
    )


async def _insert(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    account: Account,
    proof: AuthenticationResult,
    *,
    id: str,
    token: str,
    device: str | None,
) -> InsertedSession:
    hashed_device = None if proof.previous else device_hash(deps.keys, proof.browser, ctx.agent)
    inserted = await sessions.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        user_id=account.id,
        token_hash=deps.keys.hash("session", token),
        idp_name=proof.idp_name,
        acr=proof.earned,
        amr=proof.amr,
        remembered=proof.remember and not tenant.is_dashboard,
        previous_id=proof.previous,
        ip=ctx.ip,
        agent=(ctx.agent or "")[:512] or None,
        device_name=device,
        device_hash=hashed_device,
        auth_time=proof.auth_time,
        ttl=session_lifetimes.absolute(tenant, remember=proof.remember),
        idle_ttl=session_lifetimes.idle(tenant, remember=False),
        idle_ttl_remembered=session_lifetimes.idle(tenant, remember=True),
        phc=proof.phc,
    )
    if inserted is None:
        raise WrongCredentials
    return inserted


def _session(
    id: str,
    account: Account,
    proof: AuthenticationResult,
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
        acr=proof.earned,
        amr=proof.amr,
        active_org_id=inserted.active_org_id,
        created_at=inserted.created_at,
        expires_at=inserted.expires_at,
        idle_expires_at=inserted.idle_expires_at,
        remembered=inserted.remembered,
    )


def with_new_user(
    proof: AuthenticationResult, fresh: bool, *, joins_team: bool = False
) -> AuthenticationResult:
    """Returns the proof with a mark for a user who was just created."""
    return dataclasses.replace(proof, new_user=fresh, joins_team=joins_team)


async def replace(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, account: Account, session_id: str
) -> StartedSession:
    """Gives the session a new id and token, because its rights change (OWASP ASVS, session
    management). Raises NoSession if it has ended."""
    kept = await sessions.get_replaced(tx, app_id=ctx.app_id, id=session_id, user_id=account.id)
    if kept is None:
        raise NoSession
    proof = AuthenticationResult(
        method="replaced",
        amr=kept.amr,
        acr=kept.acr,
        idp_name=kept.idp_name,
        remember=kept.remembered,
        previous=session_id,
        auth_time=kept.auth_time,
    )
    return await begin(deps, ctx, tx, tenant, account, proof)


async def finish(deps: Deps, ctx: Context, started: StartedSession) -> SignedInSession:
    """Does what follows the commit: caches forget the replaced session, and a new user is
    provisioned. Returns the session."""
    session = started.reply.session
    if started.replaced is not None:
        await deps.invalidation.publish(ctx, "session", started.replaced)
    if started.verified:
        await deps.invalidation.publish(ctx, "user", session.user_id)
    if not started.settled or started.verified:
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


async def provision_new_user(
    deps: Deps,
    ctx: Context,
    user_id: str,
    *,
    email: str | None,
    verified: bool,
    name: str | None,
    personal_team: bool = True,
) -> bool:
    """Gives a new user the default role, a developer a `personal_team`, and a verified address its
    membership in the organization that has proven the domain. It is idempotent. Returns whether all
    of it succeeded; the next sign-in or the sweep does the rest."""
    system_ctx = ctx.as_system()
    try:
        operator = await _is_operator(deps, ctx, user_id, email if verified else None)
        await deps.bus.call(system_ctx, AssignDefaultRole(user_id=user_id, operator=operator))
        if ctx.app_id == DASHBOARD and personal_team:
            await deps.bus.call(system_ctx, EnsurePersonalTeam(user_id=user_id, name=name))
        if verified:
            await deps.bus.call(system_ctx, JoinByDomain(user_id=user_id))
        async with deps.db.single(ctx) as db:
            await accounts.mark_settled(db, app_id=ctx.app_id, id=user_id)
    except Problem as problem:
        log.warning("user not settled", code=problem.code, user_id=user_id)
        return False
    return True


async def _is_operator(deps: Deps, ctx: Context, user_id: str, proven: str | None) -> bool:
    """Returns whether the user used the owner link, or proved the address that the deployment
    names."""
    if ctx.app_id != DASHBOARD:
        return False
    if proven is not None and email_rules.names_operator(deps.operator_email, ctx.app_id, proven):
        return True
    async with deps.db.reading(ctx) as db:
        return await codes.is_owner(db, app_id=ctx.app_id, user_id=user_id)


async def end_codes(ctx: Context, tx: Db, user_id: str) -> None:
    """Ends all codes and links that were mailed to the user before."""
    await codes.end_of_user(tx, app_id=ctx.app_id, user_id=user_id)


async def end_all(
    ctx: Context, tx: Db, user_id: str, *, reason: str, spare: str | None = None
) -> list[str]:
    """Ends a user's sessions in the transaction, with their tokens and with all mailed codes and
    links. Returns the ids of the sessions for `publish_revocations`."""
    ended = await sessions.revoke_all(
        tx, app_id=ctx.app_id, user_id=user_id, spare=spare, reason=reason
    )
    await end_codes(ctx, tx, user_id)
    return [session.id for session in ended]


async def publish_revocations(deps: Deps, ctx: Context, user_id: str, ended: list[str]) -> None:
    """Tells every cache to forget the user and these sessions: after the commit, before the
    reply."""
    for session_id in ended:
        await deps.invalidation.publish(ctx, "session", session_id)
    await deps.invalidation.publish(ctx, "user", user_id)
