"""Sessions: the session of a cookie, lists of sessions, and ending them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp
from common.problems import (
    Conflict,
    Forbidden,
    NotFound,
    Unauthenticated,
)

Factor = Literal["password", "mail", "owner_link", "provider", "passkey", "totp", "recovery_code"]
"""The factors that prove who a user is."""
SecondFactor = Literal["totp", "passkey", "recovery_code"]
ActorKind = Literal["user", "developer"]
HalfKind = Literal["mfa_required", "mfa_setup_required"]


class SessionActor(Contract):
    """The actor of a session, who acts as its user (RFC 8693 section 4.1): a user of the application, or a
    developer of the Dashboard."""

    kind: ActorKind
    id: Id
    session_id: Id = Field(description="The actor's own session. The impersonation ends with it.")


class Session(Contract):
    """A session and its user."""

    id: Id
    user_id: Id
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    picture: str | None = None
    locale: str | None = None
    zoneinfo: str | None = Field(
        default=None, description="The user's time zone, like `Europe/Berlin`."
    )
    guest: bool = Field(default=False, description="Whether the user has no credentials yet.")
    auth_time: Timestamp = Field(
        description="When the user last authenticated (OpenID Connect Core 2)."
    )
    acr: str | None = None
    amr: list[str] = Field(default=[], description="Authentication methods (RFC 8176).")
    factor_times: dict[Factor, int] = Field(
        default={},
        description="When each factor of this session was last shown, in epoch seconds.",
    )
    second_factors: list[SecondFactor] = Field(
        default=[], description="The second factors that the user has enrolled."
    )
    active_org_id: Id | None = None
    created_at: Timestamp
    expires_at: Timestamp
    idle_expires_at: Timestamp | None = None
    remembered: bool = Field(
        default=False, description="Whether the user chose to stay signed in on this device."
    )
    actor: SessionActor | None = Field(
        default=None, description="Who acts as the user. Null: the user themselves."
    )


class NoSession(Unauthenticated):
    """The cookie has no valid session of this application."""

    code, title = "no_session", "You are not signed in."


class SessionNotFound(NotFound):
    """The user has no session with this id."""

    code, title = "session_not_found", "This session does not exist or has ended."


class CurrentSession(Conflict):
    """RevokeSession does not end the session of the caller."""

    code, title = "current_session", "This is your current session. Sign out instead."


class FreshSignInNeeded(Forbidden):
    """The last sign-in of the caller is too old for this call. `acr_values` is the class of sign-in
    that the call needs, and `max_age` the most seconds since then."""

    code, title = "fresh_sign_in_needed", "To confirm that it is you, sign in again first."


class CheckSession(
    Request[Session], subject="identity.session.check", needs=OPEN, within=1.0, safe=True
):
    """Returns the session of a cookie. Raises NoSession."""

    token: str = Field(max_length=200, repr=False)
    is_use: bool = Field(
        default=True,
        description="Whether the user is active now. If not, the idle limit of the session runs on.",
    )


class SessionEntry(Contract):
    """A session in a list, for its user or an administrator."""

    id: Id
    idp_name: str | None = None
    device_name: str | None = None
    place: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    amr: list[str] = []
    created_at: Timestamp
    expires_at: Timestamp
    last_active_at: Timestamp
    is_current: bool = False
    actor_id: Id | None = Field(default=None, description="Who acts as the user in this session.")
    actor_reason: str | None = Field(default=None, description="The reason that they gave.")


class Sessions(Contract):
    """A page of sessions."""

    sessions: list[SessionEntry]
    next: str | None = None


class Revoked(Contract):
    """The number of sessions that were ended."""

    revoked_count: int


class ListSessions(Request[Sessions], subject="identity.session.list", needs=SIGNED_IN, safe=True):
    """Lists the sessions of the caller, latest first."""


class ListUserSessions(
    Page, Request[Sessions], subject="identity.session.list_user", needs="users:read", safe=True
):
    """Lists the sessions of any user of the application, latest first."""

    user_id: Id


class RevokeSession(Request[Done], subject="identity.session.revoke", needs=SIGNED_IN):
    """Ends one of the caller's other sessions. Raises SessionNotFound, CurrentSession."""

    session_id: Id


class RevokeOtherSessions(
    Request[Revoked], subject="identity.session.revoke_others", needs=SIGNED_IN
):
    """Ends all sessions of the caller except the current one."""


class RevokeAllSessions(Request[Revoked], subject="identity.session.revoke_all", needs=SIGNED_IN):
    """Ends all sessions of the caller, including the current one."""


class RevokeUserSession(
    Request[Done], subject="identity.session.revoke_user_one", needs="users:write"
):
    """Ends one session of any user. Raises SessionNotFound."""

    user_id: Id
    session_id: Id


class RevokeUserSessions(
    Request[Revoked], subject="identity.session.revoke_user", needs="users:write"
):
    """Ends all sessions of any user."""

    user_id: Id


class SignOut(Request[Done], subject="identity.session.sign_out", needs=OPEN):
    """Ends the session of a cookie. Does nothing if there is none."""

    token: str = Field(max_length=200, repr=False)
    successor: Id | None = Field(
        default=None,
        description="A newer session of the same user. Apps of the ended session stay signed in with it.",
    )


class EndSession(Request[Done], subject="identity.session.end", needs=SYSTEM):
    """Ends a session by its id, for logout through OpenID Connect. Idempotent."""

    session_id: Id
    reason: str = "logout"


class SecondFactorChallenge(Contract):
    """The step that a half session needs to become a session: one of `factors` (`mfa_required`),
    or the enrolment of a second factor (`mfa_setup_required`)."""

    kind: HalfKind
    factors: list[SecondFactor] = Field(description="Those that the user has, the best first.")
    email: str | None = None
    expires_at: Timestamp


class SignedInSession(Contract):
    """A new session. `token` goes into the cookie and is never shown again. If a second factor is
    needed first, there is a `challenge` instead of a `session`, and `token` is that of the half
    session: it has a cookie of its own."""

    token: str = Field(repr=False)
    session: Session | None
    challenge: SecondFactorChallenge | None = None
    new_user: bool = False
    new_device: bool = False
    must_change_password: bool = False
    offers_passkey: bool = False

    def full(self) -> Session:
        """Returns the session. It is called where no second factor can be missing."""
        assert self.session is not None, "a second factor is missing"
        return self.session


class ActivateOrganization(
    Request[SignedInSession], subject="identity.session.activate_organization", needs=SYSTEM
):
    """Sets or clears the active organization of a session. The permissions change, so the session
    gets a new id and token. Raises SessionNotFound, SsoRequired, and NotFound if the user is not a
    member."""

    session_id: Id
    org_id: Id | None = None


class EndUnqualifiedSessions(
    Request[Revoked], subject="identity.session.end_unqualified", needs=SYSTEM, within=10.0
):
    """Ends the sessions of an organization's members that its own provider did not start. Does nothing
    unless the organization requires its provider. Idempotent."""

    org_id: Id
