"""What the identity service answers: users, sessions, passwords, codes, invitations, mail."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import email_validator
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, field_validator

from common.contracts.base import OPEN, SIGNED_IN, SYSTEM, Contract, Done, Id, Page, Request
from common.problems import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    RateLimited,
    Unauthenticated,
)

# A deployment may live on localhost, `.test` or `.internal`: reserved names are somebody's own.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def _address(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("this is not an e-mail address") from None
    return found.normalized


Email = Annotated[str, Field(max_length=254), AfterValidator(_address)]
"""An address as its owner writes it; compared without regard to case."""
Secret = Annotated[str, Field(max_length=1024)]
Token = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(max_length=200)]
Url = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s<>\"]+$")]
Locale = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Metadata = dict[str, Any]

LINKS: Final = {
    "sign_in": "/login/link",
    "reset": "/reset",
    "invitation": "/invitation",
    "verify_email": "/verify-email",
    "owner": "/welcome",
}
"""Paths of the pages that mailed links lead to; each takes `?token=`."""


# Sessions


class Session(Contract):
    """A live session and whose it is: what the gateway keeps for a few seconds."""

    id: Id
    user_id: Id
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    picture: str | None = None
    locale: str | None = None
    auth_time: datetime = Field(description="When the user last proved who he is.")
    acr: str | None = None
    amr: list[str] = []
    active_org_id: Id | None = None
    created_at: datetime
    expires_at: datetime
    idle_expires_at: datetime | None = None


class NoSession(Unauthenticated):
    """The cookie names no live session of this application."""

    code, title = "no_session", "You are not signed in."


class SessionNotFound(NotFound):
    code, title = "session_not_found", "There is no such session."


class CurrentSession(Conflict):
    """RevokeSession never ends the session that asks."""

    code, title = "current_session", "This is your current session: sign out instead."


class FreshSignInNeeded(Forbidden):
    """The last proof of who asks is too old for this: sign in again (with a password or code)."""

    code, title = "fresh_sign_in_needed", "Confirm that it is you: sign in again first."


class CheckSession(
    Request[Session], subject="identity.session.check", needs=OPEN, within=1.0, safe=True
):
    """The live session behind a cookie. Raises NoSession."""

    token: str = Field(max_length=200, repr=False)


class SessionEntry(Contract):
    """A session as its owner, or an administrator, sees it in a list."""

    id: Id
    idp_name: str | None = None
    device_name: str | None = None
    place: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    amr: list[str] = []
    created_at: datetime
    expires_at: datetime
    last_active_at: datetime
    is_current: bool = False


class Sessions(Contract):
    sessions: list[SessionEntry]
    next: str | None = None


class Revoked(Contract):
    revoked_count: int


class ListSessions(Request[Sessions], subject="identity.session.list", needs=SIGNED_IN, safe=True):
    """The caller's live sessions, the latest first."""


class ListUserSessions(
    Page, Request[Sessions], subject="identity.session.list_user", needs="users:read", safe=True
):
    """The live sessions of any user of the application."""

    user_id: Id


class RevokeSession(Request[Done], subject="identity.session.revoke", needs=SIGNED_IN):
    """End one of the caller's other sessions. Raises SessionNotFound, CurrentSession."""

    session_id: Id


class RevokeOtherSessions(
    Request[Revoked], subject="identity.session.revoke_others", needs=SIGNED_IN
):
    """End all of the caller's sessions but the one that asks."""


class RevokeAllSessions(Request[Revoked], subject="identity.session.revoke_all", needs=SIGNED_IN):
    """End all of the caller's sessions, the one that asks included."""


class RevokeUserSession(
    Request[Done], subject="identity.session.revoke_user_one", needs="users:write"
):
    """End one session of any user. Raises SessionNotFound."""

    user_id: Id
    session_id: Id


class RevokeUserSessions(
    Request[Revoked], subject="identity.session.revoke_user", needs="users:write"
):
    """End all sessions of any user: a forced sign-out."""

    user_id: Id


class SignOut(Request[Done], subject="identity.session.sign_out", needs=OPEN):
    """End the session behind a cookie. Nothing happens where there is none."""

    token: str = Field(max_length=200, repr=False)
    successor: Id | None = Field(
        default=None,
        description="The same user's newer session, in which the apps of this one stay signed in.",
    )


class EndSession(Request[Done], subject="identity.session.end", needs=SYSTEM):
    """End a session by its id, for logout through OpenID Connect. Idempotent."""

    session_id: Id
    reason: str = "logout"


# Signing in


class SignedInSession(Contract):
    """A session has begun. `token` goes into the cookie and is never seen again."""

    token: str = Field(repr=False)
    session: Session
    new_user: bool = False
    new_device: bool = False
    must_change_password: bool = False


class ActivateOrganization(
    Request[SignedInSession], subject="identity.session.activate_organization", needs=SYSTEM
):
    """Set or clear the active organization of a session whose user is a member of it. Rights
    change, so the session goes on under a new id and token and the old one is revoked.
    Raises SessionNotFound; NotFound where the user is no member."""

    session_id: Id
    org_id: Id | None = None


class Attempt(Contract):
    """What comes along with every attempt of a stranger.

    `browser` is the value of the browser's own long-lived cookie: a link in a mail works only in
    the browser that asked for it, and a sign-in from one not seen before is told by mail.
    `captcha` and `proof` answer what the application asks (see GetProtection).
    """

    browser: str | None = Field(default=None, max_length=200, repr=False)
    captcha: str | None = Field(default=None, max_length=4096, repr=False)
    proof: str | None = Field(default=None, max_length=400, repr=False)
    locale: Locale | None = Field(default=None, description="For the mail, where one is sent.")


class Flow(Contract):
    """A mail with a code and a link is on its way, or looks as if it were: the answer is the same
    whether the address is known or not. The code belongs to `flow`, the link to `browser`."""

    flow: Id
    browser: str = Field(repr=False, description="Value for the browser's long-lived cookie.")
    expires_at: datetime
    resend_after: int = Field(default=30, description="Seconds.")


class WrongCredentials(Unauthenticated):
    """Address or password, never which."""

    code, title = "wrong_credentials", "Address or password is wrong."


class WrongCode(Invalid):
    """Wrong, used, expired or of another flow."""

    code, title = "wrong_code", "The code is wrong or has expired."


class CodeSpent(Gone):
    """Five wrong tries, used or expired: ask for a new one."""

    code, title = "code_spent", "This code cannot be used any more. Ask for a new one."


class LinkSpent(Gone):
    """Used, expired or unknown."""

    code, title = "link_spent", "This link has expired or was used already."


class OtherBrowser(Forbidden):
    """The link was opened in a browser other than the one that asked."""

    code, title = "other_browser", "Open the link in the browser you began with, or type the code."


class Locked(RateLimited):
    """Too many wrong passwords for this address. `retry_after` in seconds."""

    code, title = "locked", "Too many wrong passwords. Wait, or sign in another way."


class MethodOff(Forbidden):
    """The application does not offer this way to sign in."""

    code, title = "method_off", "This application does not offer this way to sign in."


class SignUpClosed(Forbidden):
    """The application takes new users by invitation only."""

    code, title = "sign_up_closed", "New accounts are by invitation only."


class AccountDisabled(Forbidden):
    """Told only to somebody who has proven to own the account."""

    code, title = "account_disabled", "This account is disabled."


class EmailUnverified(Forbidden):
    """Told only to somebody who has proven to know the password."""

    code, title = "email_unverified", "Confirm your e-mail address first: sign in with a code."


class ResetNeeded(Forbidden):
    """An administrator asked for a new password. Told only to somebody who knows the old one."""

    code, title = "reset_needed", "Choose a new password first: ask for a mail to reset it."


class CaptchaFailed(Invalid):
    code, title = "captcha_failed", "Please confirm that you are human and try again."


class Protection(Contract):
    """What the application asks of strangers before it does costly work."""

    captcha_site_key: str | None = None
    captcha_script_url: str | None = None
    proof_challenge: str | None = Field(
        default=None, description="Find `n` so that sha256(challenge + ':' + n) begins with bits."
    )
    proof_bits: int = 0


class GetProtection(
    Request[Protection], subject="identity.protection.get", needs=OPEN, within=1.0, safe=True
):
    """Captcha and proof of work to answer; `proof` is then `<challenge>:<n>`, once."""


class SignUp(Attempt, Request[Flow], subject="identity.user.sign_up", needs=OPEN, within=5.0):
    """Ask for a new account. The user comes to be once the mailed code or link is used
    (SignInWithCode, SignInWithLink), so nobody can occupy a stranger's address; an existing
    account's owner gets a mail that says so. Raises SignUpClosed, Invalid."""

    email: Email
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None
    invitation: Token | None = Field(default=None, repr=False)


class SignInWithPassword(
    Attempt, Request[SignedInSession], subject="identity.password.sign_in", needs=OPEN, within=10.0
):
    """Raises WrongCredentials, Locked, RateLimited, AccountDisabled, EmailUnverified, ResetNeeded,
    Busy."""

    email: Email
    password: Secret = Field(repr=False)
    remember: bool = False


class StartEmailCode(
    Attempt, Request[Flow], subject="identity.email_code.start", needs=OPEN, within=5.0
):
    """One mail with a code and a link that sign in, and sign up where that is open."""

    email: Email


class SignInWithCode(
    Attempt, Request[SignedInSession], subject="identity.email_code.sign_in", needs=OPEN
):
    """Raises WrongCode, CodeSpent, AccountDisabled."""

    flow: Id
    code: str = Field(max_length=20, repr=False)
    remember: bool = False


class SignInWithLink(
    Attempt, Request[SignedInSession], subject="identity.email_link.sign_in", needs=OPEN
):
    """`token` from the link, `browser` from the cookie. Raises LinkSpent, OtherBrowser."""

    token: Token = Field(repr=False)
    remember: bool = False


class Reauthenticate(
    Request[SignedInSession], subject="identity.password.confirm", needs=SIGNED_IN, within=10.0
):
    """Prove again who asks: the session goes on under a new id and token with a new `auth_time`.
    Raises WrongCredentials, Locked."""

    password: Secret = Field(repr=False)


# Passwords


class WeakPassword(Invalid):
    """`errors` names what is wrong, in the field `password`."""

    code, title = "weak_password", "This password is not safe enough."


class CheckPassword(
    Request[Done], subject="identity.password.check", needs=OPEN, within=5.0, safe=True
):
    """Whether a password would be accepted. Raises WeakPassword."""

    password: Secret = Field(repr=False)
    email: str | None = Field(default=None, max_length=254)


class ChangePassword(
    Request[SignedInSession], subject="identity.password.change", needs=SIGNED_IN, within=10.0
):
    """Set the caller's password; every other session ends and this one gets a new id and token.
    `current` is needed where there is a password, else a fresh sign-in (FreshSignInNeeded)."""

    current: Secret | None = Field(default=None, repr=False)
    password: Secret = Field(repr=False)


class StartReset(Attempt, Request[Flow], subject="identity.reset.start", needs=OPEN, within=5.0):
    """One mail with a code and a link to choose a new password."""

    email: Email


class ResetPassword(
    Attempt, Request[SignedInSession], subject="identity.reset.finish", needs=OPEN, within=10.0
):
    """Choose a new password by link (`token`) or by `flow` and `code`. All sessions end, a new one
    begins. Raises LinkSpent, WrongCode, CodeSpent, WeakPassword (the link stays good then)."""

    token: Token | None = Field(default=None, repr=False)
    flow: Id | None = None
    code: str | None = Field(default=None, max_length=20, repr=False)
    password: Secret = Field(repr=False)


# Users


class Address(Contract):
    """OpenID Connect Core 5.1.1."""

    formatted: str | None = Field(default=None, max_length=500)
    street_address: str | None = Field(default=None, max_length=300)
    locality: str | None = Field(default=None, max_length=200)
    region: str | None = Field(default=None, max_length=200)
    postal_code: str | None = Field(default=None, max_length=40)
    country: str | None = Field(default=None, max_length=100)


class Profile(Contract):
    """The standard claims of OpenID Connect Core 5.1 that a user may set himself."""

    name: Name | None = None
    given_name: Name | None = None
    family_name: Name | None = None
    middle_name: Name | None = None
    nickname: Name | None = None
    preferred_username: Name | None = None
    profile: Url | None = None
    picture: Url | None = None
    website: Url | None = None
    gender: str | None = Field(default=None, max_length=50)
    birthdate: str | None = Field(
        default=None, pattern=r"^(\d{4}|\d{4}-\d{2}-\d{2})$", description="YYYY-MM-DD or YYYY."
    )
    zoneinfo: str | None = Field(default=None, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")
    locale: Locale | None = None
    phone_number: str | None = Field(default=None, max_length=32, pattern=r"^\+?[0-9 ()-]{3,31}$")
    address: Address | None = None

    @field_validator("birthdate")
    @classmethod
    def _calendar(cls, text: str | None) -> str | None:
        if text and len(text) == 10:
            year = text[:4] if text[:4] != "0000" else "2000"  # 0000: the year is not told
            date.fromisoformat(year + text[4:])
        return text


class Me(Profile):
    """A user as he sees himself."""

    id: Id
    email: str | None = None
    email_verified: bool = False
    phone_number_verified: bool = False
    public_metadata: Metadata = {}
    user_metadata: Metadata = {}
    has_password: bool = False
    created_at: datetime
    updated_at: datetime


class User(Me):
    """A user as an administrator sees him."""

    private_metadata: Metadata = {}
    disabled: bool = False
    last_sign_in_at: datetime | None = None


class Users(Contract):
    users: list[User]
    next: str | None = None


class UserNotFound(NotFound):
    code, title = "user_not_found", "There is no such user."


class EmailTaken(Conflict):
    code, title = "email_taken", "Another user has this address already."


class LastWay(Conflict):
    """It would leave the user without any way to sign in."""

    code, title = "last_way", "This would leave no way to sign in."


class MetadataInvalid(Invalid):
    """It does not follow the application's JSON schema, or is larger than 16 KiB."""

    code, title = "metadata_invalid", "The metadata do not follow the application's schema."


class MyChanges(Profile):
    """Only what is given changes; null clears."""

    user_metadata: Metadata | None = None


class UserChanges(MyChanges):
    """What an administrator may change."""

    email: Email | None = None
    email_verified: bool | None = None
    phone_number_verified: bool | None = None
    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None


class GetMe(Request[Me], subject="identity.me.get", needs=SIGNED_IN, safe=True):
    """The caller's own profile."""


class UpdateMe(Request[Me], subject="identity.me.update", needs=SIGNED_IN):
    """Change the caller's own profile. Raises MetadataInvalid."""

    changes: MyChanges


class ChangeEmail(Request[Flow], subject="identity.me.change_email", needs=SIGNED_IN):
    """Mail a code to the new address; it becomes the caller's once confirmed. Needs a fresh
    sign-in. Raises FreshSignInNeeded."""

    email: Email


class ConfirmEmail(Request[Me], subject="identity.me.confirm_email", needs=SIGNED_IN):
    """Raises WrongCode, CodeSpent, EmailTaken. The old address gets a mail."""

    flow: Id
    code: str = Field(max_length=20, repr=False)


class VerifyEmail(Request[Done], subject="identity.me.verify_email", needs=OPEN):
    """Confirm an address by the link mailed to it. Raises LinkSpent, EmailTaken."""

    token: Token = Field(repr=False)


class Export(Contract):
    """Everything identity holds of a user, without secrets."""

    user: User
    sessions: list[SessionEntry]
    devices: list[dict[str, Any]]
    events: list[dict[str, Any]] = []
    exported_at: datetime


class ExportMe(
    Request[Export], subject="identity.me.export", needs=SIGNED_IN, within=10.0, safe=True
):
    """The caller's data (GDPR article 20), with what the log says of him, a thousand events at
    most."""


class DeleteMe(Request[Done], subject="identity.me.delete", needs=SIGNED_IN, within=10.0):
    """Delete the caller's account. Needs the password, or a fresh sign-in where there is none.
    Raises FreshSignInNeeded, WrongCredentials, Locked."""

    password: Secret | None = Field(default=None, repr=False)


class CreateUser(Request[User], subject="identity.user.create", needs="users:write", within=10.0):
    """Raises EmailTaken, WeakPassword, MetadataInvalid."""

    email: Email | None = None
    email_verified: bool = False
    password: Secret | None = Field(default=None, repr=False)
    profile: Profile = Profile()
    public_metadata: Metadata = {}
    private_metadata: Metadata = {}
    user_metadata: Metadata = {}


class ListUsers(Page, Request[Users], subject="identity.user.list", needs="users:read", safe=True):
    """Users of the application, the newest first."""

    search: str | None = Field(default=None, max_length=200, description="Part of e-mail or name.")
    disabled: bool | None = None
    email_verified: bool | None = None


class GetUser(Request[User], subject="identity.user.get", needs="users:read", safe=True):
    """Raises UserNotFound."""

    user_id: Id


class FindUser(Request[User], subject="identity.user.find", needs="users:read", safe=True):
    """The user with this address. Raises UserNotFound."""

    email: Email


class UpdateUser(Request[User], subject="identity.user.update", needs="users:write"):
    """Raises UserNotFound, EmailTaken, MetadataInvalid."""

    user_id: Id
    changes: UserChanges


class DeleteUser(Request[Done], subject="identity.user.delete", needs="users:delete"):
    """Delete a user and all that is his. Raises UserNotFound."""

    user_id: Id


class DisableUser(Request[User], subject="identity.user.disable", needs="users:write"):
    """No more sign-in; every session and token ends at once. Raises UserNotFound."""

    user_id: Id


class EnableUser(Request[User], subject="identity.user.enable", needs="users:write"):
    """Raises UserNotFound."""

    user_id: Id


class ForceReset(Request[Done], subject="identity.user.force_reset", needs="users:write"):
    """The password must be chosen anew: sessions end and a reset mail goes out.
    Raises UserNotFound."""

    user_id: Id


class UnlockUser(Request[Done], subject="identity.user.unlock", needs="users:write"):
    """Forget the wrong passwords of a user's address. Raises UserNotFound."""

    user_id: Id


# Import and export


class TransferredUser(Profile):
    """A user as a line of an import file, and of an export, which can be imported again.

    `password_hash` is in any format of docs/users.md and replaced by ours at the next sign-in;
    `password`, in the clear, is hashed on arrival, which takes its time.
    """

    id: Id | None = Field(default=None, description="To be kept; else a new one.")
    email: Email | None = None
    email_verified: bool = False
    phone_number_verified: bool = False
    disabled: bool = False
    password_hash: str | None = Field(default=None, max_length=2000, repr=False)
    password: Secret | None = Field(default=None, repr=False)
    public_metadata: Metadata = {}
    private_metadata: Metadata = {}
    user_metadata: Metadata = {}
    created_at: datetime | None = None


class Arrival(Contract):
    """What became of one line, in the order of the lines."""

    status: Literal["created", "exists", "invalid"]
    user_id: Id | None = None
    errors: list[dict[str, str]] = []


class Arrivals(Contract):
    arrivals: list[Arrival]


class ImportUsers(
    Request[Arrivals], subject="identity.user.import", needs="users:write", within=30.0
):
    """Make many users at once. Who is there already (by address or id) is left as he is, so the same
    file may be sent again. No mail goes out."""

    users: list[TransferredUser] = Field(min_length=1, max_length=500)
    dry_run: bool = False


class TransferredUsers(Contract):
    users: list[TransferredUser]
    next: str | None = None


class ExportUsers(
    Page,
    Request[TransferredUsers],
    subject="identity.user.export",
    needs="users:read",
    within=10.0,
    safe=True,
):
    """Users as an import takes them, the oldest first. Hashes of passwords only for callers with
    all permissions. Raises Forbidden."""

    password_hashes: bool = False


# Invitations


class Invitation(Contract):
    """An administrator's invitation into the application."""

    id: Id
    email: str
    role_ids: list[str] = []
    status: Literal["pending", "accepted", "revoked", "expired"]
    invited_by: str | None = None
    sent_at: datetime
    expires_at: datetime
    created_at: datetime


class Invitations(Contract):
    invitations: list[Invitation]
    next: str | None = None


class InvitationNotFound(NotFound):
    code, title = "invitation_not_found", "There is no such invitation."


class InvitationPending(Conflict):
    code, title = "invitation_pending", "This address has a pending invitation: resend it."


class InviteUser(Request[Invitation], subject="identity.invitation.create", needs="users:write"):
    """Mail an invitation. Raises EmailTaken, InvitationPending."""

    email: Email
    role_ids: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=20)
    profile: Profile = Profile()
    locale: Locale | None = None


class ListInvitations(
    Page, Request[Invitations], subject="identity.invitation.list", needs="users:read", safe=True
):
    """Invitations, the newest first."""


class ResendInvitation(
    Request[Invitation], subject="identity.invitation.resend", needs="users:write"
):
    """A new link, a new mail; the old link is dead. Raises InvitationNotFound."""

    invitation_id: Id


class RevokeInvitation(Request[Done], subject="identity.invitation.revoke", needs="users:write"):
    """Raises InvitationNotFound."""

    invitation_id: Id


class InvitationOffer(Contract):
    """What the holder of an invitation's link may know before accepting."""

    email: str
    name: str | None = None
    expires_at: datetime
    password_offered: bool = True


class GetInvitation(
    Request[InvitationOffer], subject="identity.invitation.get", needs=OPEN, safe=True
):
    """Raises LinkSpent."""

    token: Token = Field(repr=False)


class AcceptInvitation(
    Attempt,
    Request[SignedInSession],
    subject="identity.invitation.accept",
    needs=OPEN,
    within=10.0,
):
    """The invited address is proven by the link. Raises LinkSpent, EmailTaken, WeakPassword."""

    token: Token = Field(repr=False)
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None


# The first operator


class OwnerLink(Contract):
    """A link that makes its holder the operator of this deployment, once."""

    token: str = Field(repr=False)
    url: str = Field(repr=False)
    expires_at: datetime


class CreateOwnerLink(Request[OwnerLink], subject="identity.owner.link", needs=SYSTEM):
    """In the dashboard's context. The links made before are dead."""

    ttl: int = Field(default=86_400, ge=60, le=604_800, description="Seconds.")


class GetOwnerLink(Request[Done], subject="identity.owner.get", needs=OPEN, safe=True):
    """Whether an owner link still holds. Raises LinkSpent."""

    token: Token = Field(repr=False)


class ClaimOwner(
    Attempt, Request[SignedInSession], subject="identity.owner.claim", needs=OPEN, within=10.0
):
    """Become the operator. Raises LinkSpent, EmailTaken, WeakPassword (the link stays good then)."""

    token: Token = Field(repr=False)
    email: Email
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None


# Mail


class Template(Contract):
    """A mail of one kind in one language: Jinja2 in a sandbox, or the built-in text."""

    kind: str
    locale: Literal["en", "de"]
    subject: str
    text: str
    html: str
    custom: bool = False
    variables: list[str] = []


class Templates(Contract):
    templates: list[Template]


class TemplateInvalid(Invalid):
    """It cannot be rendered. `errors` names the part."""

    code, title = "template_invalid", "The template cannot be rendered."


class TemplateNotFound(NotFound):
    code, title = "template_not_found", "There is no such kind of mail."


class TemplateText(Contract):
    subject: str = Field(min_length=1, max_length=300)
    text: str = Field(min_length=1, max_length=50_000)
    html: str = Field(min_length=1, max_length=100_000)


class ListTemplates(
    Request[Templates], subject="identity.template.list", needs="apps:read", safe=True
):
    """Every kind of mail in every language."""


class PutTemplate(Request[Template], subject="identity.template.put", needs="apps:write"):
    """Replace the built-in text. Raises TemplateNotFound, TemplateInvalid."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"]
    template: TemplateText


class ResetTemplate(Request[Template], subject="identity.template.reset", needs="apps:write"):
    """Back to the built-in text. Raises TemplateNotFound."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"]


class RenderedMail(Contract):
    subject: str
    text: str
    html: str


class PreviewTemplate(
    Request[RenderedMail], subject="identity.template.preview", needs="apps:read", safe=True
):
    """How a mail would look, with sample values. Raises TemplateInvalid."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"] = "en"
    template: TemplateText | None = None


class SendTestMail(Request[Done], subject="identity.template.test", needs="apps:write"):
    """Send the mail of this kind, with sample values. Raises TemplateNotFound, RateLimited."""

    kind: str = Field(max_length=50)
    locale: Literal["en", "de"] = "en"
    to: Email
