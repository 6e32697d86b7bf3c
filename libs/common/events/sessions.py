"""Signing in and out."""

from __future__ import annotations

from common.events.base import Event


class Login(Event, type="login"):
    """A user signed in and a session began."""

    method: str
    session_id: str
    amr: list[str] = []
    new_device: bool = False


class LoginFailed(Event, type="login_failed"):
    """Somebody failed to sign in. `reason` never tells the person who failed. Where the address
    belongs to nobody, `address_hash` is a keyed hash of it: equal hashes are the same address."""

    method: str
    reason: str
    address_hash: str | None = None


class SignInLocked(Event, type="sign_in_locked"):
    """Too many wrong passwords for one address, known or not. Recorded each time a lock begins."""

    failures: int
    seconds: int


class EmailCodeSent(Event, type="email_code_sent"):
    """A mail with a code was queued for delivery. `purpose` is sign_in, sign_up, reset or the like."""

    purpose: str


class Logout(Event, type="logout"):
    """A user signed out."""

    session_id: str


class SessionRevoked(Event, type="session_revoked"):
    """A session was ended from elsewhere: by its user, an administrator, or a change of password."""

    session_id: str
    reason: str


class SessionsRevoked(Event, type="sessions_revoked"):
    """All sessions of a user, or all but one, were ended."""

    count: int
    reason: str
