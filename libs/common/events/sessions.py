"""Sign-in and sign-out."""

from __future__ import annotations

from common.events.base import Event


class Login(Event, type="login"):
    """A user signed in and a session started."""

    method: str
    session_id: str
    amr: list[str] = []
    new_device: bool = False


class ImpersonationStarted(Event, type="impersonation_started"):
    """Somebody began to act as a user. `actor_kind` is `user` for an administrator of the application,
    or `developer`. The user can read this event."""

    session_id: str
    user_id: str
    actor_id: str
    actor_kind: str
    reason: str
    minutes: int


class ImpersonationEnded(Event, type="impersonation_ended"):
    """Somebody no longer acts as a user. `reason` is `ended` by somebody, `expired`, or `refused`: the
    actor's session or rights have ended. The user can read this event."""

    session_id: str
    user_id: str
    actor_id: str
    reason: str


class LoginFailed(Event, type="login_failed"):
    """A sign-in failed. The page does not show `reason` to the visitor. If no user has the address,
    `address_hash` is a keyed hash of it. Equal hashes mean the same address. With the reason
    `sso_required`, `org_ids` are the organizations that require their own provider. With
    `account_disabled`, the user showed the right credential, and is disabled."""

    method: str
    reason: str
    address_hash: str | None = None
    org_ids: list[str] = []


class SignInLocked(Event, type="sign_in_locked"):
    """An address was locked after too many wrong passwords. The address may belong to no user."""

    failures: int
    seconds: int


class EmailCodeSent(Event, type="email_code_sent"):
    """An e-mail with a code was queued. `purpose` is `sign_in`, `sign_up`, `reset` or similar."""

    purpose: str


class Logout(Event, type="logout"):
    """A user signed out."""

    session_id: str


class SessionRevoked(Event, type="session_revoked"):
    """A session was ended by its user elsewhere, by an administrator, or by a change of
    password."""

    session_id: str
    reason: str


class SessionsRevoked(Event, type="sessions_revoked"):
    """All sessions of a user were ended, or all except one."""

    count: int
    reason: str
