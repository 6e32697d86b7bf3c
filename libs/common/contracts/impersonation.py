"""Impersonation: an administrator or developer acts as a user, for a reason and for a while."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contracts.base import OPEN, Contract, Id, Request
from common.contracts.fields import Timestamp, Token, Visible
from common.contracts.sessions import SignedInSession
from common.problems import Forbidden

PERMISSION = "users:impersonate"


class ImpersonationOff(Forbidden):
    """The application does not allow impersonation."""

    code, title = "impersonation_off", "This application does not allow impersonation."


class ImpersonationRefused(Forbidden):
    """The caller cannot act as this user: the user has more rights, can act as others, or is the
    caller."""

    code, title = "impersonation_refused", "You can't act as this user."


class Impersonation(Contract):
    """An impersonation. A user of the application has a `session` at once. A developer gets a `url`
    instead, which starts the session on the application's host."""

    session: SignedInSession | None = None
    url: str | None = Field(default=None, repr=False)
    expires_at: Timestamp = Field(description="The end of the session, or of the link.")


class ImpersonationTerms(Contract):
    """The reason and the length of an impersonation."""

    reason: Annotated[str, Field(min_length=3, max_length=300), Visible] = Field(
        description="The user can read it."
    )
    minutes: int = Field(
        default=15, ge=1, le=60, description="How long the impersonation lasts at most."
    )


class StartImpersonation(
    ImpersonationTerms,
    Request[Impersonation],
    subject="identity.impersonation.start",
    needs=PERMISSION,
    within=5.0,
    fresh=True,
):
    """Starts to act as a user. Raises ImpersonationOff, ImpersonationRefused, NotHeld, UserNotFound,
    AccountDisabled."""

    user_id: Id


class RedeemImpersonation(
    Request[SignedInSession],
    subject="identity.impersonation.redeem",
    needs=OPEN,
    within=5.0,
):
    """Starts the session of a developer's link. The link works once, for one minute. Raises LinkSpent,
    ImpersonationOff, ImpersonationRefused, AccountDisabled."""

    token: Token = Field(repr=False)
