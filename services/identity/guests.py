"""Guests: accounts without credentials.

A guest becomes a full user with the first credential, and keeps their id. Every way of getting one
calls `upgrade` in the transaction that stores the credential.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from common import audit
from common.context import ANONYMOUS, Context
from common.contracts.guests import CreateGuest, GuestsOff
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import SignedInSession
from common.db import Db
from common.events.users import GuestUpgraded, UserCreated
from common.ids import new_id
from identity import challenge, gate, passwords, session_start
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.limits import GUEST_BY_APP, GUEST_BY_IP
from identity.queries import accounts, guests
from identity.queries.accounts import Account

CREATED_BY: Final = "guest"


@dataclass(frozen=True)
class GuestSession:
    """The guest who is signed in at the browser that now signs in or up."""

    user_id: str
    session_id: str


async def create(deps: Deps, ctx: Context, request: CreateGuest) -> SignedInSession:
    """Creates a guest and starts their session. Raises GuestsOff, CaptchaFailed, RateLimited."""
    tenant = await deps.tenants.get(ctx)
    if tenant.is_dashboard or not tenant.settings.guests:
        raise GuestsOff
    await deps.limits.count(ctx, (GUEST_BY_IP, ctx.ip), (GUEST_BY_APP, ctx.app_id))
    await challenge.check(deps, ctx, tenant, request)
    id = new_id()
    async with deps.db.transaction(ctx) as tx:
        await guests.insert(tx, app_id=ctx.app_id, id=id, locale=request.locale)
        await audit.record(tx, ctx, UserCreated(user_id=id, by=CREATED_BY), user_id=id)
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=id)
        assert account is not None
        result = AuthenticationResult(
            method=gate.GUEST,
            factor=None,
            amr=[],
            browser=request.browser,
            remember=True,  # a guest who loses the session cannot come back
            new_user=True,
        )
        started = await session_start.begin(deps, ctx, tx, tenant, account=account, result=result)
    return await session_start.finish(deps, ctx, started)


async def upgrade(ctx: Context, tx: Db, user_id: str, *, method: str) -> bool:
    """Makes a guest a full user, because they have just got a credential. Returns False, and does
    nothing, if the user is no guest. After the commit the caller tells the caches about the user, and
    replaces the guest's session by one that shows the credential."""
    if not await guests.upgrade(tx, app_id=ctx.app_id, id=user_id):
        return False
    event = GuestUpgraded(user_id=user_id, method=method)
    await audit.record(tx, ctx, event, user_id=user_id)
    return True


def split(ctx: Context) -> tuple[GuestSession | None, Context]:
    """Returns the guest who makes this call, and the context of the sign-in itself, which nobody
    makes."""
    caller = ctx.caller
    anonymous = ctx.with_caller(ANONYMOUS)
    if not caller.guest or caller.user_id is None or caller.session_id is None or caller.delegated:
        return None, anonymous
    return GuestSession(caller.user_id, caller.session_id), anonymous


async def get_locked(ctx: Context, tx: Db, guest: GuestSession | None) -> GuestSession | None:
    """Locks the guest's row. Returns None if they are no guest any more."""
    if guest is None or not await guests.lock(tx, app_id=ctx.app_id, id=guest.user_id):
        return None
    return guest


async def upgrade_by_address(
    ctx: Context, tx: Db, guest: GuestSession, payload: dict[str, Any], *, email: str, method: str
) -> Account:
    """Gives the locked guest a proven address, and what a sign-up has stored in `payload`. Returns
    the account. Raises UniqueViolationError if another user has the address."""
    await guests.set_address(
        tx,
        app_id=ctx.app_id,
        id=guest.user_id,
        email=email,
        name=payload.get("name"),
        locale=payload.get("locale"),
    )
    if payload.get("phc"):
        await accounts.set_password(
            tx, app_id=ctx.app_id, user_id=guest.user_id, phc=payload["phc"]
        )
    await upgrade(ctx, tx, guest.user_id, method=method)
    await accounts.mark_unprovisioned(tx, app_id=ctx.app_id, id=guest.user_id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=guest.user_id)
    assert account is not None
    return account


def with_guest(
    guest: GuestSession | None, *, account: Account, result: AuthenticationResult
) -> AuthenticationResult:
    """Returns the result of a sign-in at a guest's browser. If the guest has become this account, the
    new session replaces theirs. Otherwise the guest stays, and the log names both when the session
    starts."""
    if guest is not None and account.id == guest.user_id:
        return replace(result, previous=guest.session_id, upgrades_guest=True)
    return with_kept_guest(result, guest)


def with_kept_guest(
    result: AuthenticationResult, guest: GuestSession | None
) -> AuthenticationResult:
    """Returns the result of a sign-in to an account that existed already."""
    return replace(result, kept_guest_id=guest.user_id if guest else None)


async def sign_in_with_password(
    deps: Deps, ctx: Context, request: SignInWithPassword
) -> SignedInSession:
    """Signs in as `passwords.sign_in` does. A guest of the browser stays."""
    guest, ctx = split(ctx)
    guest_id = guest.user_id if guest else None
    return await passwords.sign_in(deps, ctx, request, kept_guest_id=guest_id)
