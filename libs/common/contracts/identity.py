"""What the identity service answers: users, sessions, passwords, codes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from common.contracts.base import OPEN, Contract, Id, Request
from common.problems import Unauthenticated


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


class CheckSession(
    Request[Session], subject="identity.session.check", needs=OPEN, within=1.0, safe=True
):
    """The live session behind a cookie. Raises NoSession."""

    token: str = Field(max_length=200, repr=False)
