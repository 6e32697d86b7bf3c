"""Invitations into an application."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.contracts.base import OPEN, Contract, Done, Id, Page, Request
from common.contracts.fields import Email, Locale, Name, Secret, Timestamp, Token
from common.contracts.profiles import Profile
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt
from common.problems import (
    Conflict,
    NotFound,
)


class Invitation(Contract):
    """An administrator's invitation into the application."""

    id: Id
    email: str
    role_ids: list[str] = []
    status: Literal["pending", "accepted", "revoked", "expired"]
    invited_by: str | None = None
    sent_at: Timestamp
    expires_at: Timestamp
    created_at: Timestamp


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
    """The invitation, as the holder of its link may see it before accepting."""

    email: str
    name: str | None = None
    expires_at: Timestamp
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
