"""Sign-up. The user is created only when the mailed code or link is used, so nobody can occupy a
stranger's address. The answer is the same whether the address is known."""

from __future__ import annotations

from typing import Any

from common import audit
from common.address_keys import address_key
from common.context import Context
from common.contracts.invitations import InvitationNotFound
from common.contracts.org_invitations import GetOrganizationOffer, OrganizationInvitationNotFound
from common.contracts.sign_in import CodeSpent, Flow, MethodOff
from common.contracts.sign_up import ResendSignUp, SignUp
from common.contracts.tenants import Tenant
from common.db import Db
from common.events.invitations import InvitationAccepted
from common.events.users import UserCreated
from common.ids import new_id
from identity import challenge, email_rules, flows, guests, password_policy
from identity.deps import Deps
from identity.limits import SIGN_UP_BY_IP
from identity.queries import accounts, codes, invitations
from identity.queries.accounts import Account
from identity.queries.codes import ConsumedEmailCode
from identity.queries.invitations import OpenInvitation


async def sign_up(deps: Deps, ctx: Context, request: SignUp) -> Flow:
    """Stores a sign-up and mails its code. Raises MethodOff, SignUpClosed, Invalid, WeakPassword,
    InvitationNotFound, CaptchaFailed, RateLimited, MailsSent."""
    tenant = await deps.tenants.get(ctx)
    methods = tenant.settings.auth_methods
    if request.password is not None and "password" not in methods:
        raise MethodOff("this application does not use passwords")
    if request.password is None and not {"email_code", "magic_link"} & set(methods):
        raise MethodOff("choose a password")
    await deps.limits.count(ctx, (SIGN_UP_BY_IP, ctx.ip))
    await challenge.check(deps, ctx, tenant, request)
    admitted = await admission(deps, ctx, email=request.email, token=request.invitation)
    check_admission(deps, ctx, tenant, email=request.email, admitted=admitted)
    phc = None
    if request.password is not None:
        await password_policy.check(
            deps, ctx, tenant, request.password, email=request.email, name=request.name
        )
        phc = await deps.hashing.hash(ctx.app_id, request.password)
    await flows.count_mail(deps, ctx, request.email, request.browser, purpose="sign_in")
    async with deps.db.transaction(ctx) as tx:
        payload = {
            "email": request.email,
            "name": request.name,
            "locale": request.locale,
            "phc": phc,
            **admitted,
            "sign_up": True,
        }
        letter = await _letter(ctx, tx, tenant, payload)
        return await flows.start(deps, ctx, tx, tenant, letter=letter, browser=request.browser)


async def resend(deps: Deps, ctx: Context, request: ResendSignUp) -> Flow:
    """Sends another mail for a pending sign-up. The earlier codes stay valid until one is used."""
    tenant = await deps.tenants.get(ctx)
    await deps.limits.count(ctx, (SIGN_UP_BY_IP, ctx.ip))
    await challenge.check(deps, ctx, tenant, request)
    browser_hashes = deps.keys.hashes("browser", request.browser) if request.browser else []
    async with deps.db.reader(ctx) as db:
        payload = await codes.pending_sign_up(
            db, app_id=ctx.app_id, id=request.flow, browser_hashes=browser_hashes
        )
    if payload is None:
        raise CodeSpent
    await flows.count_mail(deps, ctx, payload["email"], request.browser, purpose="sign_in")
    async with deps.db.transaction(ctx) as tx:
        letter = await _letter(ctx, tx, tenant, payload)
        return await flows.start(deps, ctx, tx, tenant, letter=letter, browser=request.browser)


async def _letter(ctx: Context, tx: Db, tenant: Tenant, payload: dict[str, Any]) -> flows.Letter:
    """Returns the mail of a sign-up. The stored payload is the same whether the address has an
    account."""
    account = await accounts.by_email(tx, app_id=ctx.app_id, email=payload["email"])
    if account is not None:
        return _known_address_letter(tenant, account, payload)
    return flows.Letter(
        to=payload["email"],
        type="email_verification",
        kind="sign_up",
        purpose="sign_up",
        name=payload["name"],
        locale=payload["locale"],
        payload=payload,
    )


def _known_address_letter(
    tenant: Tenant, account: Account, payload: dict[str, Any]
) -> flows.Letter:
    """Returns the mail to somebody who signs up again. Its code or link signs in, if the
    application offers that."""
    by_code = "email_code" in tenant.settings.auth_methods
    by_link = "magic_link" in tenant.settings.auth_methods
    return flows.Letter(
        to=account.email or payload["email"],
        type="email_code",
        kind="sign_up_known",
        purpose="sign_up",
        link="sign_in" if by_link else "",
        user_id=account.id,
        name=account.name,
        locale=account.locale or payload["locale"],
        real=by_code or by_link,
        code=by_code,
        payload=payload,
    )


async def get_or_create_account(
    deps: Deps,
    ctx: Context,
    tx: Db,
    tenant: Tenant,
    *,
    consumed_code: ConsumedEmailCode,
    guest: guests.GuestSession | None = None,
) -> tuple[Account, bool]:
    """Returns the user of a proven address, and whether they were created now. A new user is the
    guest of this browser, if there is one. Raises SignUpClosed, Invalid if the application no longer
    accepts new users."""
    if consumed_code.user_id is not None:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=consumed_code.user_id)
    else:
        account = await accounts.by_email(tx, app_id=ctx.app_id, email=consumed_code.email)
    if account is not None:
        return account, False
    payload = consumed_code.payload
    email = payload.get("email") or consumed_code.email
    check_admission(deps, ctx, tenant, email=email, admitted=payload)
    if guest is not None:
        method = "password" if payload.get("phc") else "email"
        account = await guests.upgrade_by_address(
            ctx, tx, guest, payload, email=email, method=method
        )
        if payload.get("invitation"):
            await accept(ctx, tx, payload["invitation"], guest.user_id)
        return account, False
    return await _create_account(ctx, tx, payload, email), True


async def _create_account(ctx: Context, tx: Db, payload: dict[str, Any], email: str) -> Account:
    id = new_id()
    await accounts.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        email=email,
        email_verified=True,
        name=payload.get("name"),
        locale=payload.get("locale"),
    )
    if payload.get("phc"):
        await accounts.set_password(tx, app_id=ctx.app_id, user_id=id, phc=payload["phc"])
    await audit.record(tx, ctx, UserCreated(user_id=id, by="sign_up"), user_id=id)
    if payload.get("invitation"):
        await accept(ctx, tx, payload["invitation"], id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=id)
    assert account is not None
    return account


def check_admission(
    deps: Deps, ctx: Context, tenant: Tenant, *, email: str, admitted: dict[str, Any]
) -> None:
    """Checks whether a new user may have this address. `admitted` has the members of `admission`. Raises
    SignUpClosed, Invalid."""
    if admitted.get("invitation") or _is_operator(deps, ctx, email):
        return
    by_organization = bool(admitted.get("into_organization"))
    invited = by_organization and tenant.settings.signup_by_organization_invitations
    email_rules.allow(tenant.settings, email, invited=invited)


def _is_operator(deps: Deps, ctx: Context, email: str) -> bool:
    return email_rules.names_operator(deps.operator_email, ctx.app_id, email)


async def accept(ctx: Context, tx: Db, invitation_id: str, user_id: str) -> None:
    """Marks an invitation as accepted. Raises InvitationNotFound if it was accepted or revoked, or
    has expired."""
    if not await invitations.accept(tx, app_id=ctx.app_id, id=invitation_id, user_id=user_id):
        raise InvitationNotFound
    event = InvitationAccepted(invitation_id=invitation_id, user_id=user_id)
    await audit.record(tx, ctx, event, user_id=user_id)


async def admission(deps: Deps, ctx: Context, *, email: str, token: str | None) -> dict[str, Any]:
    """Returns what the token of an invitation admits this address to: `invitation` is the id of a
    pending invitation into the application, and `into_organization` says whether an organization has
    invited them. Raises InvitationNotFound for any other token."""
    return await admission_by(
        deps, ctx, await open_invitation(deps, ctx, token), email=email, token=token
    )


async def admission_by(
    deps: Deps, ctx: Context, offer: OpenInvitation | None, *, email: str, token: str | None
) -> dict[str, Any]:
    """Returns what `admission` returns for a caller who has read the pending invitation of the token.
    Raises InvitationNotFound."""
    if offer is None:
        into_organization = await _into_organization(deps, ctx, email=email, token=token)
        return {"invitation": None, "into_organization": into_organization}
    if address_key(offer.email) != address_key(email):
        raise InvitationNotFound
    return {"invitation": offer.id, "into_organization": False}


async def open_invitation(deps: Deps, ctx: Context, token: str | None) -> OpenInvitation | None:
    """Returns the pending invitation into the application with this token."""
    if token is None:
        return None
    async with deps.db.reader(ctx) as db:
        return await invitations.get_open(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes("invitation", token)
        )


async def _into_organization(deps: Deps, ctx: Context, *, email: str, token: str | None) -> bool:
    """Returns whether the token is an organization's invitation of this address. The user accepts
    it after signing in. Raises InvitationNotFound for any other token."""
    if token is None:
        return False
    try:
        offer = await deps.bus.call(ctx, GetOrganizationOffer(token=token))
    except OrganizationInvitationNotFound:
        raise InvitationNotFound from None
    if address_key(offer.email) != address_key(email):
        raise InvitationNotFound
    return True
