"""The catalogue of audit events. Types are the seeds' names, then `<noun>_<past>`.

A payload is versioned: a field may be added within a version, anything else makes a new one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from common.contracts.base import Contract

EVENTS: dict[str, type[Event]] = {}
"""Every event by its type."""


class Event(BaseModel):
    """What happened, in its own words. The docstring of each class is its documentation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    activity: ClassVar[bool] = False
    """Activity goes to the stream only, batched; records are written with the work itself."""

    def __init_subclass__(cls, *, type: str = "", version: int = 1, activity: bool = False) -> None:
        super().__init_subclass__()
        if not type:
            return
        if type in EVENTS:
            raise TypeError(f"event type {type!r} is already taken")
        cls.type, cls.version, cls.activity = type, version, activity
        EVENTS[type] = cls


class AuditEvent(Contract):
    """An event as it stands in the log and travels on the stream."""

    id: str
    app_id: str
    event_type: str
    version: int = 1
    event_data: dict[str, Any]
    user_id: str | None = None
    actor_kind: str
    actor_id: str | None = None
    session_id: str | None = None
    org_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    created_at: datetime
    trace: str | None = None


# Signing in and out


class Login(Event, type="login"):
    """A user signed in and a session began."""

    method: str
    session_id: str
    amr: list[str] = []
    new_device: bool = False


class LoginFailed(Event, type="login_failed"):
    """Somebody failed to sign in. `reason` never tells the person who failed."""

    method: str
    reason: str


class Logout(Event, type="logout"):
    """A user ended his session."""

    session_id: str


class SessionRevoked(Event, type="session_revoked"):
    """A session was ended from elsewhere: by its user, an administrator, or a change of password."""

    session_id: str
    reason: str


class SessionsRevoked(Event, type="sessions_revoked"):
    """All sessions of a user, or all but one, were ended."""

    count: int
    reason: str


# Users


class UserCreated(Event, type="user_created"):
    """A user came to be: by sign-up, by an administrator, by invitation or import."""

    user_id: str
    by: str


class UserUpdated(Event, type="user_updated"):
    """Fields of a user's profile changed; their names, not their values."""

    user_id: str
    fields: list[str]


class UserDisabled(Event, type="user_disabled"):
    """A user may not sign in any more; his sessions ended."""

    user_id: str


class UserEnabled(Event, type="user_enabled"):
    """A disabled user may sign in again."""

    user_id: str


class UserDeleted(Event, type="user_deleted"):
    """A user and all that was his is gone."""

    user_id: str


class UserVerified(Event, type="user_verified"):
    """A user proved to own the address."""

    user_id: str


class UserInvited(Event, type="user_invited"):
    """An administrator invited somebody into the application."""

    invitation_id: str


class InvitationRevoked(Event, type="user_invitation_revoked"):
    """An invitation was taken back."""

    invitation_id: str


class InvitationAccepted(Event, type="user_invitation_accepted"):
    """An invited person became a user."""

    invitation_id: str
    user_id: str


class UsersImported(Event, type="users_imported"):
    """Users were imported from a file."""

    count: int


class EmailChanged(Event, type="email_changed"):
    """A user's address was replaced by one he proved to own."""

    user_id: str


class PasswordChanged(Event, type="password_changed"):
    """A user set a password; the other sessions ended."""

    user_id: str


class PasswordReset(Event, type="password_reset"):
    """A user chose a new password by mail; all sessions ended."""

    user_id: str


class PasswordResetForced(Event, type="password_reset_forced"):
    """An administrator asked for a new password; all sessions ended."""

    user_id: str


class SignInLocked(Event, type="sign_in_locked"):
    """Too many wrong passwords for one address, known or not. Recorded each time a lock begins."""

    failures: int
    seconds: int


class UserUnlocked(Event, type="user_unlocked"):
    """An administrator ended the lock of a user's address."""

    user_id: str


class EmailCodeSent(Event, type="email_code_sent"):
    """Somebody asked for a mail with a code. `purpose` is sign_in, sign_up, reset or the like."""

    purpose: str


class OwnerClaimed(Event, type="owner_claimed"):
    """The owner link was used: its holder is the operator of this deployment."""

    user_id: str


class MailTemplateChanged(Event, type="mail_template_changed"):
    """The text of a mail was replaced, or put back."""

    kind: str
    locale: str


# Applications and keys


class ApplicationCreated(Event, type="application_created"):
    """An application came to be; it answers on its host once every part of it is there."""

    application_id: str
    slug: str


class ApplicationUpdated(Event, type="application_updated"):
    """Settings or branding changed; names of the fields, not their values."""

    fields: list[str]


class ApplicationTransferred(Event, type="application_transferred"):
    """An application was handed from one team to another."""

    application_id: str
    from_org_id: str | None
    to_org_id: str


class ApplicationDeleted(Event, type="application_deleted"):
    """An application and everything in it is gone. Recorded in the Dashboard's log."""

    application_id: str
    slug: str


class OperatorEntered(Event, type="operator_entered", activity=True):
    """An operator looked into an application that no team of his owns."""

    application_id: str
    slug: str


class ApiKeyCreated(Event, type="api_key_created"):
    """An API key was made."""

    key_id: str
    key_type: str
    name: str | None = None


class ApiKeyRotated(Event, type="api_key_rotated"):
    """A key got a successor; it ends at `expires_at`."""

    key_id: str
    successor_id: str
    expires_at: datetime


class ApiKeyRevoked(Event, type="api_key_revoked"):
    """An API key was ended at once."""

    key_id: str


# Custom domains


class CustomDomainAdded(Event, type="custom_domain_added"):
    """A domain was claimed for the application; it answers once its owner has proven it."""

    domain_id: str
    domain: str


class CustomDomainLost(Event, type="custom_domain_lost"):
    """The proof of a domain is gone from the DNS: the application answers there no more."""

    domain_id: str
    domain: str


class CustomDomainMadePrimary(Event, type="custom_domain_made_primary"):
    """Links and the issuer follow this domain from now on; null: the slug's host again."""

    domain: str | None


class CustomDomainRemoved(Event, type="custom_domain_removed"):
    """A domain was given up."""

    domain_id: str
    domain: str


class CustomDomainVerified(Event, type="custom_domain_verified"):
    """The domain's owner has proven it: the application answers there."""

    domain_id: str
    domain: str


# OAuth


class ClientCreated(Event, type="client_created"):
    """An OAuth client was registered."""

    client_id: str
    name: str


class ClientUpdated(Event, type="client_updated"):
    """Fields of an OAuth client changed; their names, not their values."""

    client_id: str
    fields: list[str]


class ClientDeleted(Event, type="client_deleted"):
    """An OAuth client and every grant to it is gone."""

    client_id: str


class ClientSecretCreated(Event, type="client_secret_created"):
    """A client got a secret, beside or in place of those it had."""

    client_id: str
    secret_id: str


class ClientSecretDeleted(Event, type="client_secret_deleted"):
    """A secret of a client is dead."""

    client_id: str
    secret_id: str


class ConsentGranted(Event, type="consent_granted"):
    """A user allowed a client these scopes."""

    client_id: str
    scopes: list[str]


class GrantRevoked(Event, type="grant_revoked"):
    """What users had allowed a client was withdrawn, and its tokens are dead."""

    client_id: str
    reason: str
    count: int = 1


class TokenRevoked(Event, type="token_revoked"):
    """A client gave a token back (RFC 7009)."""

    client_id: str
    kind: str


class KeysRotated(Event, type="signing_keys_rotated"):
    """New signing keys were made; the old ones verify until their last token is gone."""

    kids: list[str]
    at_once: bool = False


class ScopeChanged(Event, type="scope_changed"):
    """A scope or resource (API) of the application was made, changed or deleted."""

    name: str
    change: str


class CodeIssued(Event, type="authorization_granted"):
    """A client got an authorization code for a user."""

    client_id: str
    scopes: list[str]


class CodeReused(Event, type="authorization_code_reused"):
    """A used code was presented again: the tokens made from it are dead."""

    client_id: str


class TokenIssued(Event, type="token_issued"):
    """A client got tokens for a user by a code."""

    client_id: str
    scopes: list[str]


class TokenRefreshed(Event, type="token_refreshed"):
    """A refresh token was exchanged for its successor."""

    client_id: str


class TokenReused(Event, type="refresh_token_reused"):
    """An old refresh token was presented: its whole family is dead."""

    client_id: str


class ClientTokenIssued(Event, type="client_token_issued", activity=True):
    """A client got an access token for itself."""

    client_id: str
    scopes: list[str]


# The log itself


class AuditPruned(Event, type="audit_pruned"):
    """Events before a moment went, as the application's retention wants; the chain stays."""

    count: int
    before: datetime


# Rights


class RoleAssigned(Event, type="role_assigned"):
    """A user was given a role."""

    user_id: str
    role_id: str
    org_id: str | None = None


class RoleUnassigned(Event, type="role_unassigned"):
    """A role was taken from a user."""

    user_id: str
    role_id: str
    org_id: str | None = None


class OrgCreated(Event, type="org_created"):
    """An organization came to be; in the Dashboard, a developer team."""

    org_id: str
    slug: str
    is_personal: bool = False


class OrgUpdated(Event, type="org_updated"):
    """Fields of an organization changed; their names, not their values."""

    org_id: str
    fields: list[str]


class OrgDeleted(Event, type="org_deleted"):
    """An organization is gone, with memberships, invitations and domains."""

    org_id: str
    slug: str


class OrgActivated(Event, type="org_activated"):
    """A user made an organization the active one of his session; null: none."""

    org_id: str | None = None


class MemberAdded(Event, type="member_added"):
    """A user joined an organization. `by`: creation, invitation, domain or administrator."""

    org_id: str
    user_id: str
    role: str
    by: str


class MemberRoleChanged(Event, type="member_role_changed"):
    """A member has another role in his organization."""

    org_id: str
    user_id: str
    role: str
    before: str


class MemberRemoved(Event, type="member_removed"):
    """A user left an organization, or was put out of it."""

    org_id: str
    user_id: str


class OrgInvitationSent(Event, type="org_invitation_sent"):
    """Somebody was invited into an organization, or invited again."""

    org_id: str
    invitation_id: str
    role: str
    again: bool = False


class OrgInvitationRevoked(Event, type="org_invitation_revoked"):
    """A pending invitation was withdrawn."""

    org_id: str
    invitation_id: str


class OrgInvitationAccepted(Event, type="org_invitation_accepted"):
    """The invited person joined."""

    org_id: str
    invitation_id: str
    user_id: str


class OrgDomainAdded(Event, type="org_domain_added"):
    """An organization claims an e-mail domain; nothing follows from it until it is proven."""

    org_id: str
    domain: str


class OrgDomainVerified(Event, type="org_domain_verified"):
    """An organization has proven an e-mail domain."""

    org_id: str
    domain: str


class OrgDomainUpdated(Event, type="org_domain_updated"):
    """Who may join by an organization's domain, or as what, changed."""

    org_id: str
    domain: str
    fields: list[str]


class OrgDomainRemoved(Event, type="org_domain_removed"):
    """An organization gave up an e-mail domain; its members stay."""

    org_id: str
    domain: str


class RoleCreated(Event, type="role_created"):
    """A role was made; `kind` tells the application's from the organizations'."""

    role_id: str
    kind: str = "application"
    permissions: list[str] = []


class RoleUpdated(Event, type="role_updated"):
    """A role's name, description or permissions changed."""

    role_id: str
    kind: str = "application"
    fields: list[str] = []
    added: list[str] = []
    removed: list[str] = []


class RoleDeleted(Event, type="role_deleted"):
    """A role is gone, and with it what it gave."""

    role_id: str
    kind: str = "application"


class PermissionCreated(Event, type="permission_created"):
    """An application got a permission of its own."""

    permission_id: str


class PermissionUpdated(Event, type="permission_updated"):
    """A permission's description changed."""

    permission_id: str


class PermissionDeleted(Event, type="permission_deleted"):
    """A permission is gone from every role."""

    permission_id: str
