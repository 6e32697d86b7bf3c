"""Signing up. The user comes to be only once the mailed code or link is used, so nobody can occupy
a stranger's address, and the answer is the same whether the address is known or not."""

from __future__ import annotations

from typing import Any

from common import audit
from common.addresses import address_key
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
from identity import challenge, email_rules, flows, policy
from identity.deps import Deps
from identity.limits import SIGN_UP_BY_IP
from identity.queries import accounts, codes, invitations
from identity.queries.accounts import Account
from identity.queries.codes import Taken


async def sign_up(deps: Deps, ctx: Context, request: SignUp) -> Flow:
    tenant = await deps.tenants.get(ctx)
    methods = tenant.settings.auth_methods
    if request.password is not None and "password" not in methods:
        raise MethodOff("this application does not use passwords")
    if request.password is None and not {"email_code", "magic_link"} & set(methods):
        raise MethodOff("choose a password")
    await deps.limits.count(ctx, (SIGN_UP_BY_IP, ctx.ip))
    await challenge.check(deps, ctx, tenant, request)
    invitation = await _invitation(deps, ctx, request)
    into_organization = invitation is None and await _into_organization(deps, ctx, request)
    if invitation is None and not _operator(deps, ctx, request.email):
        email_rules.allow(tenant.settings, request.email, invited=_opens(tenant, into_organization))
    phc = None
    if request.password is not None:
        await policy.check(
            deps, ctx, tenant, request.password, email=request.email, name=request.name
        )
        phc = await deps.hashing.hash(ctx.app_id, request.password)
    await flows.count(deps, ctx, request.email, request.browser, purpose="sign_in")
    async with deps.db.transaction(ctx) as tx:
        payload = {
            "email": request.email,
            "name": request.name,
            "locale": request.locale,
            "phc": phc,
            "invitation": invitation,
            "into_organization": into_organization,
            "sign_up": True,
        }
        letter = await _letter(ctx, tx, tenant, payload)
        return await flows.start(deps, ctx, tx, tenant, letter, request.browser)


async def resend(deps: Deps, ctx: Context, request: ResendSignUp) -> Flow:
    """Sends another mail for a pending sign-up. The earlier codes stay valid until one is used."""
    tenant = await deps.tenants.get(ctx)
    await deps.limits.count(ctx, (SIGN_UP_BY_IP, ctx.ip))
    await challenge.check(deps, ctx, tenant, request)
    browser_hashes = deps.keys.hashes("browser", request.browser) if request.browser else []
    async with deps.db.reading(ctx) as db:
        payload = await codes.pending_sign_up(
            db, app_id=ctx.app_id, id=request.flow, browser_hashes=browser_hashes
        )
    if payload is None:
        raise CodeSpent
    await flows.count(deps, ctx, payload["email"], request.browser, purpose="sign_in")
    async with deps.db.transaction(ctx) as tx:
        letter = await _letter(ctx, tx, tenant, payload)
        return await flows.start(deps, ctx, tx, tenant, letter, request.browser)


async def _letter(ctx: Context, tx: Db, tenant: Tenant, payload: dict[str, Any]) -> flows.Letter:
    """The mail of a sign-up. The stored payload is the same whether the address has an account."""
    account = await accounts.by_email(tx, app_id=ctx.app_id, email=payload["email"])
    if account is not None:
        return _known(tenant, account, payload)
    return flows.Letter(
        to=payload["email"],
        type="email_verification",
        kind="sign_up",
        purpose="sign_up",
        name=payload["name"],
        locale=payload["locale"],
        payload=payload,
    )


def _known(tenant: Tenant, account: Account, payload: dict[str, Any]) -> flows.Letter:
    """The mail to somebody who signs up again: the code signs in, where codes do."""
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


async def come_to_be(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, taken: Taken
) -> tuple[Account, bool]:
    """The user of a proven address, made where there is none. Raises SignUpClosed, Invalid where
    the application does not take new users any more."""
    if taken.user_id is not None:
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=taken.user_id)
    else:
        account = await accounts.by_email(tx, app_id=ctx.app_id, email=taken.email)
    if account is not None:
        return account, False
    wanted = taken.payload
    email = wanted.get("email") or taken.email
    if not wanted.get("invitation") and not _operator(deps, ctx, email):
        invited = _opens(tenant, bool(wanted.get("into_organization")))
        email_rules.allow(tenant.settings, email, invited=invited)
    id = new_id()
    await accounts.insert(
        tx,
        app_id=ctx.app_id,
        id=id,
        email=email,
        email_verified=True,
        name=wanted.get("name"),
        locale=wanted.get("locale"),
    )
    if wanted.get("phc"):
        await accounts.set_password(tx, app_id=ctx.app_id, user_id=id, phc=wanted["phc"])
    await audit.record(tx, ctx, UserCreated(user_id=id, by="sign_up"), user_id=id)
    if wanted.get("invitation"):
        await accept(ctx, tx, wanted["invitation"], id)
    made = await accounts.by_id(tx, app_id=ctx.app_id, id=id)
    assert made is not None
    return made, True


def _opens(tenant: Tenant, into_organization: bool) -> bool:
    return into_organization and tenant.settings.signup_by_organization_invitations


def _operator(deps: Deps, ctx: Context, email: str) -> bool:
    return email_rules.names_operator(deps.operator_email, ctx.app_id, email)


async def accept(ctx: Context, tx: Db, invitation_id: str, user_id: str) -> None:
    """Raises InvitationNotFound where it was accepted, revoked or has expired."""
    if not await invitations.accept(tx, app_id=ctx.app_id, id=invitation_id, user_id=user_id):
        raise InvitationNotFound
    event = InvitationAccepted(invitation_id=invitation_id, user_id=user_id)
    await audit.record(tx, ctx, event, user_id=user_id)


async def _invitation(deps: Deps, ctx: Context, request: SignUp) -> str | None:
    """The pending invitation of this very address, into the application. Raises InvitationNotFound
    where the token is one, but not of this address."""
    if request.invitation is None:
        return None
    async with deps.db.reading(ctx) as db:
        found = await invitations.by_token(
            db, app_id=ctx.app_id, token_hashes=deps.keys.hashes("invitation", request.invitation)
        )
    if found is None:
        return None
    if address_key(found.email) != address_key(request.email):
        raise InvitationNotFound
    return found.id


async def _into_organization(deps: Deps, ctx: Context, request: SignUp) -> bool:
    """Whether the token is an organization's invitation of this very address; he accepts it once
    he has signed in. Raises InvitationNotFound for any other token."""
    if request.invitation is None:
        return False
    try:
        offer = await deps.bus.call(ctx, GetOrganizationOffer(token=request.invitation))
    except OrganizationInvitationNotFound:
        raise InvitationNotFound from None
    if address_key(offer.email) != address_key(request.email):
        raise InvitationNotFound
    return True
