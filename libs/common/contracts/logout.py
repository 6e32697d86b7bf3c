"""Logout that a client starts (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.authorization import MOST_SESSIONS, Params, SignedIn
from common.contracts.base import OPEN, Contract, Id, Request
from common.contracts.fields import Timestamp


class LoggedOut(Contract):
    """The next step of the browser at logout.

    `confirm`: ask the user first; `request` names the pending logout. `done`: end the session
    `session_id` and show a page that says so. `redirect`: the same, then go to `location`.
    `frontchannel` are pages of relying parties to load in hidden frames first. `error`: show the
    error.
    """

    kind: Literal["confirm", "done", "redirect", "error"]
    location: str | None = Field(default=None, repr=False)
    request: str | None = Field(default=None, repr=False)
    session_id: Id | None = None
    frontchannel: list[str] = []
    client_name: str | None = None
    error: str | None = None
    error_description: str | None = None


class LogOut(Request[LoggedOut], subject="oidc.session.end", needs=OPEN, within=8.0):
    """Handles GET or POST /oauth2/logout (OpenID Connect RP-Initiated Logout 1.0) and queues logout
    tokens. If the reply says so, the gateway ends the session of the browser."""

    params: Params = Field(repr=False)
    session: SignedIn | None = None
    others: list[SignedIn] = Field(
        default=[], max_length=MOST_SESSIONS, description="Further sessions of this browser."
    )
    confirmed: bool = False
    request: str | None = Field(default=None, max_length=8000, repr=False)


class LogoutFailure(Contract):
    """The reason why the client did not accept its last logout token."""

    error: str = Field(description="The host and the reason.")
    attempt: int
    max_attempts: int
    failed_at: Timestamp
    next_attempt_at: Timestamp | None = Field(
        default=None, description="`null`: there are no more attempts."
    )
