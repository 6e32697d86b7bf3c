"""Fake services for tests of the hosted pages: one user, mails and links, valid or not."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.kit import factor_people, passkey_people
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.authorization import (
    Authorization,
    AuthorizationState,
    Authorize,
    GetAuthorizationState,
    ResumeAuthorization,
)
from common.contracts.base import Done
from common.contracts.clients import ClientNotFound
from common.contracts.consents import Grant, Grants, ListMyGrants, RevokeMyGrant
from common.contracts.device_authorization import (
    DeviceSignIn,
    DeviceSignInNotFound,
    DeviceSignIns,
    ListMyDeviceSignIns,
    RevokeMyDeviceSignIn,
    VerifyUserCode,
)
from common.contracts.email_codes import (
    ConfirmWithCode,
    SignInWithCode,
    SignInWithLink,
    StartEmailCode,
)
from common.contracts.identities import Identities, ListMyIdentities
from common.contracts.identity_providers import PublicProvider
from common.contracts.impersonation import RedeemImpersonation
from common.contracts.invitations import AcceptInvitation, GetInvitation, InvitationOffer
from common.contracts.logout import LoggedOut, LogOut
from common.contracts.me import (
    ChangeEmail,
    ConfirmEmail,
    DeleteMe,
    Export,
    ExportMe,
    GetMe,
    UpdateMe,
    VerifyEmail,
)
from common.contracts.members import (
    AlreadyMember,
    ChangeMemberRole,
    LastAdmin,
    ListMembers,
    Member,
    MemberNotFound,
    Members,
    RemoveMember,
)
from common.contracts.org_invitations import (
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    InviteMember,
    ListOrganizationInvitations,
    OrganizationInvitation,
    OrganizationInvitationNotFound,
    OrganizationInvitations,
    OrganizationOffer,
    OtherAddress,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import (
    GetOrganization,
    ListOrganizations,
    Organization,
    OrganizationNotFound,
    Organizations,
    SwitchOrganization,
)
from common.contracts.owner import ClaimOwner, GetOwnerLink
from common.contracts.passwords import (
    ChangePassword,
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
    WeakPassword,
)
from common.contracts.profiles import Me, User
from common.contracts.protection import CaptchaFailed, GetProtection, Protection
from common.contracts.sessions import (
    FreshSignInNeeded,
    ListSessions,
    Revoked,
    RevokeOtherSessions,
    RevokeSession,
    SecondFactorChallenge,
    Session,
    SessionEntry,
    Sessions,
    SignedInSession,
    SignOut,
)
from common.contracts.sign_in import (
    Attempt,
    CodeSpent,
    Flow,
    LinkSpent,
    Locked,
    OtherBrowser,
    ResetNeeded,
    SsoRequired,
    WrongCode,
    WrongCredentials,
)
from common.contracts.sign_in_route import FindSignInRoute, SignInRoute
from common.contracts.sign_up import ResendSignUp, SignUp
from common.contracts.tenants import Tenant
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Problem

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"
CODE = "123456"
LINK = "good-link"
SOON = timedelta(minutes=10)
ORGANIZATION = "01900000-0000-7000-8000-00000000000a"
MATE = "01900000-0000-7000-8000-00000000000c"
INVITATION = "01900000-0000-7000-8000-00000000000b"


class People:
    """The users that exist, and the calls that were made."""

    def __init__(self, world: FakeServices) -> None:
        self.world = world
        self.flow = new_id()
        self.authorization = Authorization(kind="error", error="invalid_request")
        self.authorization_state = AuthorizationState(pending=True)
        self.ended = LoggedOut(kind="done")
        self.signing_up = False
        """A sign-up that waits for its code."""
        self.has_password = True
        self.profile: dict[str, str | None] = {"name": "Ada Lovelace"}
        self.apps = {"notes": "Acme Notes"}
        """The connected apps: names by client id."""
        self.org_role = "admin"
        self.must_reset = False
        """An administrator has reset the password."""
        self.fresh = True
        self.passkeys = passkey_people.PasskeyState()
        self.offers_passkey = False
        self.needed: Problem | None = None
        """The reason why the account cannot be deleted."""
        self.challenge: SecondFactorChallenge | None = None
        """The second step that the next sign-in waits for."""
        self.has_totp = False
        self.sso_domain: str | None = None
        """The domain that an organization has verified, whose provider is `acme`."""
        self.sso_required: SsoRequired | None = None
        self.revoked: list[str] = []
        self.devices: list[DeviceSignIn] = []
        self.protection = Protection()
        world.bus.serve(self, HANDLERS | factor_people.HANDLERS | passkey_people.HANDLERS)

    def begin(self, ctx: Context, email: str = EMAIL) -> SignedInSession:
        if self.challenge is not None:
            return factor_people.half(self)
        tenant = next(one for one in self.world.tenants.values() if one.app_id == ctx.app_id)
        token = f"tok{len(self.world.sessions)}"
        signed = person(self.world, tenant, token, email=email)
        return SignedInSession(token=token, session=signed, offers_passkey=self.offers_passkey)


def person(
    world: FakeServices,
    tenant: Tenant,
    token: str,
    email: str = EMAIL,
    name: str = "Ada Lovelace",
    **more: Any,
) -> Session:
    made = world.session(tenant, token).model_copy(
        update={"email": email, "email_verified": True, "name": name, **more}
    )
    world.sessions[tenant.app_id, token] = made
    return made


async def protection(people: People, ctx: Context, request: Any) -> Protection:
    return people.protection


def check_proof(people: People, request: Attempt) -> None:
    bits = people.protection.proof_bits
    if bits:
        challenge, _, _ = (request.proof or "").rpartition(":")
        number = int.from_bytes(hashlib.sha256((request.proof or "").encode()).digest(), "big")
        if challenge != people.protection.proof_challenge or number.bit_length() > 256 - bits:
            raise CaptchaFailed
    if people.protection.captcha_site_key and request.captcha != "human":
        raise CaptchaFailed


async def flow(people: People, ctx: Context, request: Any) -> Flow:
    check_proof(people, request)
    now = datetime.now(UTC)
    return Flow(flow=people.flow, browser=request.browser or "b" * 32, expires_at=now + SOON)


async def route(people: People, ctx: Context, request: FindSignInRoute) -> SignInRoute:
    if request.email.rpartition("@")[2] != people.sso_domain:
        return SignInRoute()
    return SignInRoute(
        idp=PublicProvider(id=ORGANIZATION, name="acme", type="oidc", display_name="Acme")
    )


async def change_email(people: People, ctx: Context, request: ChangeEmail) -> Flow:
    if not people.fresh:
        raise FreshSignInNeeded
    return Flow(flow=people.flow, browser="b" * 32, expires_at=datetime.now(UTC) + SOON)


async def sign_up(people: People, ctx: Context, request: SignUp) -> Flow:
    if request.password is not None and len(request.password) < 8:
        raise weak()
    people.signing_up = True
    return await flow(people, ctx, request)


async def resend_sign_up(people: People, ctx: Context, request: ResendSignUp) -> Flow:
    if request.flow != people.flow or not people.signing_up:
        raise CodeSpent
    return await flow(people, ctx, request)


def weak() -> WeakPassword:
    return WeakPassword(
        errors=[
            field_error("password", "password_too_short", minimum=8),
            field_error("password", "password_guessable"),
        ]
    )


async def by_password(people: People, ctx: Context, request: SignInWithPassword) -> SignedInSession:
    if people.sso_required is not None:
        raise people.sso_required
    if request.email == "locked@example.com":
        raise Locked(retry_after=300)
    if people.must_reset and request.password == PASSWORD:
        raise ResetNeeded
    if (request.email, request.password) != (EMAIL, PASSWORD):
        raise WrongCredentials
    return people.begin(ctx)


async def by_code(people: People, ctx: Context, request: SignInWithCode) -> SignedInSession:
    if (request.flow, request.code) != (people.flow, CODE):
        raise WrongCode
    return people.begin(ctx)


async def confirm_by_code(
    people: People, ctx: Context, request: ConfirmWithCode
) -> SignedInSession:
    if (request.flow, request.code) != (people.flow, CODE):
        raise WrongCode
    people.fresh = True
    return people.begin(ctx)


async def by_link(people: People, ctx: Context, request: Any) -> SignedInSession:
    if request.token == "other-browser":
        raise OtherBrowser
    if request.token != LINK:
        raise LinkSpent
    if getattr(request, "password", None) and len(request.password) < 8:
        raise weak()
    return people.begin(ctx, getattr(request, "email", EMAIL))


async def reset(people: People, ctx: Context, request: ResetPassword) -> SignedInSession:
    if request.token == "other-browser":
        raise OtherBrowser
    if request.token is not None and request.token != LINK:
        raise LinkSpent
    if request.token is None and (request.flow, request.code) != (people.flow, CODE):
        raise WrongCode
    if len(request.password) < 8:
        raise weak()
    return people.begin(ctx)


async def with_password(people: People, ctx: Context, request: Any) -> SignedInSession:
    given = request.password if isinstance(request, Reauthenticate) else request.current
    if given != PASSWORD:
        raise WrongCredentials
    people.fresh = True
    return people.begin(ctx)


async def check_link(people: People, ctx: Context, request: Any) -> Done:
    if request.token != LINK:
        raise LinkSpent
    return Done()


async def offer(people: People, ctx: Context, request: GetInvitation) -> InvitationOffer:
    if request.token != LINK:
        raise LinkSpent
    return InvitationOffer(email=EMAIL, expires_at=datetime.now(UTC) + SOON)


async def org_offer(
    people: People, ctx: Context, request: GetOrganizationOffer
) -> OrganizationOffer:
    if request.token != LINK:
        raise OrganizationInvitationNotFound
    return OrganizationOffer(
        org_id=new_id(),
        org_name="Analytical Engines",
        org_slug="engines",
        email=EMAIL,
        role="member",
        expires_at=datetime.now(UTC) + SOON,
    )


async def org_accept(people: People, ctx: Context, request: AcceptOrganizationInvitation) -> Any:
    raise OtherAddress


async def grants(people: People, ctx: Context, request: ListMyGrants) -> Grants:
    now = datetime.now(UTC)
    return Grants(
        grants=[
            Grant(
                user_id=ctx.caller.id or new_id(),
                client_id=client_id,
                client_name=name,
                scopes=["openid", "email", "notes:write"],
                created_at=now,
                updated_at=now - timedelta(days=40),
            )
            for client_id, name in people.apps.items()
        ]
    )


async def withdraw(people: People, ctx: Context, request: RevokeMyGrant) -> Done:
    if people.apps.pop(request.client_id, None) is None:
        raise ClientNotFound
    return Done()


def organization(people: People) -> Organization:
    now = datetime.now(UTC)
    return Organization(
        id=ORGANIZATION,
        slug="engines",
        name="Analytical Engines",
        role=people.org_role,
        created_at=now,
        updated_at=now,
    )


async def organizations(people: People, ctx: Context, request: Any) -> Organizations:
    return Organizations(organizations=[organization(people)])


async def get_organization(people: People, ctx: Context, request: Any) -> Organization:
    if request.org_id != ORGANIZATION:
        raise OrganizationNotFound
    return organization(people)


async def switch(people: People, ctx: Context, request: SwitchOrganization) -> SignedInSession:
    if request.org_id not in (None, ORGANIZATION):
        raise OrganizationNotFound
    signed = people.begin(ctx)
    tenant = next(one for one in people.world.tenants.values() if one.app_id == ctx.app_id)
    session = signed.full().model_copy(update={"active_org_id": request.org_id})
    people.world.sessions[tenant.app_id, signed.token] = session
    return SignedInSession(token=signed.token, session=session)


async def members(people: People, ctx: Context, request: ListMembers) -> Members:
    now = datetime.now(UTC)
    me, mate = ctx.caller.user_id or new_id(), MATE
    return Members(
        members=[
            Member(user_id=me, email=EMAIL, name="Ada Lovelace", role="admin", created_at=now),
            Member(user_id=mate, email="bob@example.com", role="member", created_at=now),
        ]
    )


async def change_member(people: People, ctx: Context, request: Any) -> Any:
    if request.user_id == ctx.caller.user_id:
        raise LastAdmin
    if request.user_id != MATE:
        raise MemberNotFound
    if isinstance(request, RemoveMember):
        return Done()
    return Member(user_id=MATE, role=request.role, created_at=datetime.now(UTC))


async def invite(people: People, ctx: Context, request: InviteMember) -> OrganizationInvitation:
    if request.email == EMAIL:
        raise AlreadyMember
    return invitation()


def invitation() -> OrganizationInvitation:
    now = datetime.now(UTC)
    return OrganizationInvitation(
        id=INVITATION,
        org_id=ORGANIZATION,
        email="mate@example.com",
        role="member",
        status="pending",
        sent_at=now,
        expires_at=now + timedelta(days=7),
        created_at=now,
    )


async def invitations(people: People, ctx: Context, request: Any) -> OrganizationInvitations:
    return OrganizationInvitations(invitations=[invitation()])


async def change_invitation(people: People, ctx: Context, request: Any) -> Any:
    if request.invitation_id != INVITATION:
        raise OrganizationInvitationNotFound
    return invitation() if isinstance(request, ResendOrganizationInvitation) else Done()


async def me(people: People, ctx: Context, request: Any) -> Me:
    if isinstance(request, UpdateMe):
        changes = request.changes.model_dump(exclude_unset=True)
        people.profile.update(changes)
    now = datetime.now(UTC)
    return Me(
        id=ctx.caller.id or new_id(),
        email=EMAIL,
        email_verified=True,
        **people.profile,
        has_password=people.has_password,
        created_at=now,
        updated_at=now,
    )


DEVICES = (
    ("Firefox on Linux", "Berlin, Germany", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140", 0),
    ("Safari on iPhone", "Hamburg, Germany", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0)", 3),
    ("Chrome on Windows", None, "Mozilla/5.0 (Windows NT 10.0) Chrome/140", 70),
)


async def sessions(people: People, ctx: Context, request: ListSessions) -> Sessions:
    now = datetime.now(UTC)
    listed = [
        SessionEntry(
            id=new_id(),
            device_name=device,
            place=place,
            user_agent=agent,
            ip_address="203.0.113.7",
            created_at=now - timedelta(hours=hours + 20),
            expires_at=now + timedelta(days=1),
            last_active_at=now - timedelta(hours=hours),
            is_current=hours == 0,
        )
        for device, place, agent, hours in DEVICES
    ]
    return Sessions(sessions=listed)


async def revoke(people: People, ctx: Context, request: RevokeSession) -> Done:
    people.revoked.append(request.session_id)
    return Done()


async def revoke_others(people: People, ctx: Context, request: Any) -> Revoked:
    return Revoked(revoked_count=2)


async def sign_out(people: People, ctx: Context, request: SignOut) -> Done:
    people.world.sessions.pop((ctx.app_id, request.token), None)
    people.revoked.append(request.token)
    return Done()


async def export(people: People, ctx: Context, request: ExportMe) -> Export:
    now = datetime.now(UTC)
    user = User(id=ctx.caller.id or new_id(), email=EMAIL, created_at=now, updated_at=now)
    return Export(user=user, sessions=[], devices=[], exported_at=now)


async def confirm_email(people: People, ctx: Context, request: ConfirmEmail) -> Me:
    if (request.flow, request.code) != (people.flow, CODE):
        raise WrongCode
    return await me(people, ctx, request)


async def identities(people: People, ctx: Context, request: ListMyIdentities) -> Identities:
    return Identities(identities=[])


async def delete(people: People, ctx: Context, request: DeleteMe) -> Done:
    if request.password != PASSWORD:
        raise WrongCredentials
    if people.needed:
        raise people.needed
    return Done()


async def authorization(people: People, ctx: Context, request: Any) -> Authorization:
    return people.authorization


async def devices(people: People, ctx: Context, request: ListMyDeviceSignIns) -> DeviceSignIns:
    return DeviceSignIns(devices=people.devices)


async def sign_device_out(people: People, ctx: Context, request: RevokeMyDeviceSignIn) -> Done:
    left = [one for one in people.devices if one.id != request.device_id]
    if len(left) == len(people.devices):
        raise DeviceSignInNotFound
    people.devices = left
    return Done()


async def authorization_state(people: People, ctx: Context, request: Any) -> AuthorizationState:
    return people.authorization_state


async def end_session(people: People, ctx: Context, request: LogOut) -> LoggedOut:
    if request.confirmed:
        session = request.session.session_id if request.session else None
        return LoggedOut(kind="done", session_id=session)
    return people.ended


HANDLERS: dict[Any, Any] = {
    GetProtection: protection,
    FindSignInRoute: route,
    StartEmailCode: flow,
    StartReset: flow,
    ChangeEmail: change_email,
    SignUp: sign_up,
    ResendSignUp: resend_sign_up,
    SignInWithPassword: by_password,
    SignInWithCode: by_code,
    ConfirmWithCode: confirm_by_code,
    SignInWithLink: by_link,
    AcceptInvitation: by_link,
    RedeemImpersonation: by_link,
    ClaimOwner: by_link,
    ResetPassword: reset,
    Reauthenticate: with_password,
    ChangePassword: with_password,
    GetOwnerLink: check_link,
    VerifyEmail: check_link,
    GetInvitation: offer,
    GetOrganizationOffer: org_offer,
    AcceptOrganizationInvitation: org_accept,
    ListMyGrants: grants,
    RevokeMyGrant: withdraw,
    ListOrganizations: organizations,
    GetOrganization: get_organization,
    SwitchOrganization: switch,
    ListMembers: members,
    ChangeMemberRole: change_member,
    RemoveMember: change_member,
    InviteMember: invite,
    ListOrganizationInvitations: invitations,
    ResendOrganizationInvitation: change_invitation,
    RevokeOrganizationInvitation: change_invitation,
    GetMe: me,
    UpdateMe: me,
    ListSessions: sessions,
    RevokeSession: revoke,
    RevokeOtherSessions: revoke_others,
    SignOut: sign_out,
    ConfirmEmail: confirm_email,
    ExportMe: export,
    ListMyIdentities: identities,
    DeleteMe: delete,
    Authorize: authorization,
    ResumeAuthorization: authorization,
    GetAuthorizationState: authorization_state,
    VerifyUserCode: authorization,
    ListMyDeviceSignIns: devices,
    RevokeMyDeviceSignIn: sign_device_out,
    LogOut: end_session,
}
