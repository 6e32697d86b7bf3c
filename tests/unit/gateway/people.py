"""Services that answer the hosted pages from memory: one person, mails and links that hold or
do not. For tests of pages; the services themselves are tested elsewhere."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.gateway.conftest import World

from common.context import Context
from common.contracts import identity, oidc
from common.contracts.base import Done
from common.contracts.organizations import (
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    OrganizationInvitationNotFound,
    OrganizationOffer,
    OtherAddress,
)
from common.contracts.tenancy import Tenant
from common.ids import new_id

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"
CODE = "123456"
LINK = "good-link"
SOON = timedelta(minutes=10)


class People:
    """Who there is, and what was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flow = new_id()
        self.authorization = oidc.Authorization(kind="error", error="invalid_request")
        self.ended = oidc.EndedSession(kind="done")
        self.has_password = True
        self.name: str | None = "Ada Lovelace"
        self.locale: str | None = None
        self.fresh = True
        self.revoked: list[str] = []
        self.protection = identity.Protection()
        world.bus.serve(self, HANDLERS)

    def begin(self, ctx: Context, email: str = EMAIL) -> identity.SignedInSession:
        tenant = next(one for one in self.world.tenants.values() if one.app_id == ctx.app_id)
        token = f"tok{len(self.world.sessions)}"
        signed = person(self.world, tenant, token, email=email)
        return identity.SignedInSession(token=token, session=signed)


def person(
    world: World,
    tenant: Tenant,
    token: str,
    email: str = EMAIL,
    name: str = "Ada Lovelace",
    **more: Any,
) -> identity.Session:
    made = world.session(tenant, token).model_copy(
        update={"email": email, "email_verified": True, "name": name, **more}
    )
    world.sessions[tenant.app_id, token] = made
    return made


async def protection(people: People, ctx: Context, asked: Any) -> identity.Protection:
    return people.protection


def check_proof(people: People, asked: identity.Attempt) -> None:
    bits = people.protection.proof_bits
    if bits:
        challenge, _, _ = (asked.proof or "").rpartition(":")
        number = int.from_bytes(hashlib.sha256((asked.proof or "").encode()).digest(), "big")
        if challenge != people.protection.proof_challenge or number.bit_length() > 256 - bits:
            raise identity.CaptchaFailed
    if people.protection.captcha_site_key and asked.captcha != "human":
        raise identity.CaptchaFailed


async def flow(people: People, ctx: Context, asked: Any) -> identity.Flow:
    check_proof(people, asked)
    now = datetime.now(UTC)
    return identity.Flow(flow=people.flow, browser=asked.browser or "b" * 32, expires_at=now + SOON)


async def change_email(people: People, ctx: Context, asked: identity.ChangeEmail) -> identity.Flow:
    if not people.fresh:
        raise identity.FreshSignInNeeded
    return identity.Flow(flow=people.flow, browser="b" * 32, expires_at=datetime.now(UTC) + SOON)


async def sign_up(people: People, ctx: Context, asked: identity.SignUp) -> identity.Flow:
    if asked.password is not None and len(asked.password) < 8:
        raise weak()
    return await flow(people, ctx, asked)


def weak() -> identity.WeakPassword:
    return identity.WeakPassword(
        errors=[{"field": "password", "message": "It has to be at least 8 characters long."}]
    )


async def by_password(
    people: People, ctx: Context, asked: identity.SignInWithPassword
) -> identity.SignedInSession:
    if asked.email == "locked@example.com":
        raise identity.Locked(retry_after=300)
    if (asked.email, asked.password) != (EMAIL, PASSWORD):
        raise identity.WrongCredentials
    return people.begin(ctx)


async def by_code(
    people: People, ctx: Context, asked: identity.SignInWithCode
) -> identity.SignedInSession:
    if (asked.flow, asked.code) != (people.flow, CODE):
        raise identity.WrongCode
    return people.begin(ctx)


async def by_link(people: People, ctx: Context, asked: Any) -> identity.SignedInSession:
    if asked.token == "other-browser":
        raise identity.OtherBrowser
    if asked.token != LINK:
        raise identity.LinkSpent
    if getattr(asked, "password", None) and len(asked.password) < 8:
        raise weak()
    return people.begin(ctx, getattr(asked, "email", EMAIL))


async def reset(
    people: People, ctx: Context, asked: identity.ResetPassword
) -> identity.SignedInSession:
    if asked.token is not None and asked.token != LINK:
        raise identity.LinkSpent
    if asked.token is None and (asked.flow, asked.code) != (people.flow, CODE):
        raise identity.WrongCode
    if len(asked.password) < 8:
        raise weak()
    return people.begin(ctx)


async def with_password(people: People, ctx: Context, asked: Any) -> identity.SignedInSession:
    given = asked.password if isinstance(asked, identity.Reauthenticate) else asked.current
    if given != PASSWORD:
        raise identity.WrongCredentials
    people.fresh = True
    return people.begin(ctx)


async def check_link(people: People, ctx: Context, asked: Any) -> Done:
    if asked.token != LINK:
        raise identity.LinkSpent
    return Done()


async def offer(
    people: People, ctx: Context, asked: identity.GetInvitation
) -> identity.InvitationOffer:
    if asked.token != LINK:
        raise identity.LinkSpent
    return identity.InvitationOffer(email=EMAIL, expires_at=datetime.now(UTC) + SOON)


async def org_offer(people: People, ctx: Context, asked: GetOrganizationOffer) -> OrganizationOffer:
    if asked.token != LINK:
        raise OrganizationInvitationNotFound
    return OrganizationOffer(
        org_id=new_id(),
        org_name="Analytical Engines",
        org_slug="engines",
        email=EMAIL,
        role="member",
        expires_at=datetime.now(UTC) + SOON,
    )


async def org_accept(people: People, ctx: Context, asked: AcceptOrganizationInvitation) -> Any:
    raise OtherAddress


async def me(people: People, ctx: Context, asked: Any) -> identity.Me:
    if isinstance(asked, identity.UpdateMe):
        changes = asked.changes.model_dump(exclude_unset=True)
        people.name = changes.get("name", people.name)
        people.locale = changes.get("locale", people.locale)
    now = datetime.now(UTC)
    return identity.Me(
        id=ctx.caller.id or new_id(),
        email=EMAIL,
        email_verified=True,
        name=people.name,
        locale=people.locale,
        has_password=people.has_password,
        created_at=now,
        updated_at=now,
    )


DEVICES = (
    ("Firefox on Linux", "Berlin, Germany", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140", 0),
    ("Safari on iPhone", "Hamburg, Germany", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0)", 3),
    ("Chrome on Windows", None, "Mozilla/5.0 (Windows NT 10.0) Chrome/140", 70),
)


async def sessions(people: People, ctx: Context, asked: identity.ListSessions) -> identity.Sessions:
    now = datetime.now(UTC)
    listed = [
        identity.SessionEntry(
            id=new_id(),
            device_name=device,
            place=place,
            user_agent=agent,
            created_at=now - timedelta(hours=hours + 20),
            expires_at=now + timedelta(days=1),
            last_active_at=now - timedelta(hours=hours),
            is_current=hours == 0,
        )
        for device, place, agent, hours in DEVICES
    ]
    return identity.Sessions(sessions=listed)


async def revoke(people: People, ctx: Context, asked: identity.RevokeSession) -> Done:
    people.revoked.append(asked.session_id)
    return Done()


async def revoke_others(people: People, ctx: Context, asked: Any) -> identity.Revoked:
    return identity.Revoked(revoked_count=2)


async def sign_out(people: People, ctx: Context, asked: identity.SignOut) -> Done:
    people.world.sessions.pop((ctx.app_id, asked.token), None)
    people.revoked.append(asked.token)
    return Done()


async def export(people: People, ctx: Context, asked: identity.ExportMe) -> identity.Export:
    now = datetime.now(UTC)
    user = identity.User(id=ctx.caller.id or new_id(), email=EMAIL, created_at=now, updated_at=now)
    return identity.Export(user=user, sessions=[], devices=[], exported_at=now)


async def confirm_email(people: People, ctx: Context, asked: identity.ConfirmEmail) -> identity.Me:
    if (asked.flow, asked.code) != (people.flow, CODE):
        raise identity.WrongCode
    return await me(people, ctx, asked)


async def delete(people: People, ctx: Context, asked: identity.DeleteMe) -> Done:
    if asked.password != PASSWORD:
        raise identity.WrongCredentials
    return Done()


async def authorization(people: People, ctx: Context, asked: Any) -> oidc.Authorization:
    return people.authorization


async def end_session(people: People, ctx: Context, asked: oidc.EndSession) -> oidc.EndedSession:
    if asked.confirmed:
        session = asked.session.session_id if asked.session else None
        return oidc.EndedSession(kind="done", session_id=session)
    return people.ended


HANDLERS: dict[Any, Any] = {
    identity.GetProtection: protection,
    identity.StartEmailCode: flow,
    identity.StartReset: flow,
    identity.ChangeEmail: change_email,
    identity.SignUp: sign_up,
    identity.SignInWithPassword: by_password,
    identity.SignInWithCode: by_code,
    identity.SignInWithLink: by_link,
    identity.AcceptInvitation: by_link,
    identity.ClaimOwner: by_link,
    identity.ResetPassword: reset,
    identity.Reauthenticate: with_password,
    identity.ChangePassword: with_password,
    identity.GetOwnerLink: check_link,
    identity.VerifyEmail: check_link,
    identity.GetInvitation: offer,
    GetOrganizationOffer: org_offer,
    AcceptOrganizationInvitation: org_accept,
    identity.GetMe: me,
    identity.UpdateMe: me,
    identity.ListSessions: sessions,
    identity.RevokeSession: revoke,
    identity.RevokeOtherSessions: revoke_others,
    identity.SignOut: sign_out,
    identity.ConfirmEmail: confirm_email,
    identity.ExportMe: export,
    identity.DeleteMe: delete,
    oidc.Authorize: authorization,
    oidc.ResumeAuthorization: authorization,
    oidc.EndSession: end_session,
}
