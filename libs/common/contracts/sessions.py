"""Sessions: the live one behind a cookie, lists of them, and their ends."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, SYSTEM, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp
from common.problems import (
    Conflict,
    Forbidden,
    NotFound,
    Unauthenticated,
)


class Session(Contract):
    """A live session and whose it is: what the gateway keeps for a few seconds."""

    id: Id
    user_id: Id
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    picture: str | None = None
    locale: str | None = None
    auth_time: Timestamp = Field(
        description="When the user last authenticated (OpenID Connect Core 2)."
    )
    acr: str | None = None
    amr: list[str] = []
    active_org_id: Id | None = None
    created_at: Timestamp
    expires_at: Timestamp
    idle_expires_at: Timestamp | None = None
    remembered: bool = Field(
        default=False, description="Whether the user chose to stay signed in in this browser."
    )


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
    created_at: Timestamp
    expires_at: Timestamp
    last_active_at: Timestamp
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
