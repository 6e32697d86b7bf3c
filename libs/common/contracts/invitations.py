"""Invitations to an application."""

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
    """An invitation to the application, from an administrator."""

    id: Id
    email: str
    role_ids: list[str] = []
    status: Literal["pending", "accepted", "revoked", "expired"]
    invited_by: str | None = None
    sent_at: Timestamp
    expires_at: Timestamp
    created_at: Timestamp


class Invitations(Contract):
    """A page of invitations."""

    invitations: list[Invitation]
    next: str | None = None


class InvitationNotFound(NotFound):
    """The application has no pending invitation with this id."""

    code, title = "invitation_not_found", "This invitation does not exist or is no longer open."


class InvitationPending(Conflict):
    """The address has a pending invitation."""

    code, title = "invitation_pending", "This address has a pending invitation. Resend that one."


class InviteUser(Request[Invitation], subject="identity.invitation.create", needs="users:write"):
    """Sends an invitation by e-mail. A role that makes an operator needs a fresh sign-in, also to
    resend or revoke the invitation. Raises EmailTaken, InvitationPending, FreshSignInNeeded."""

    email: Email
    role_ids: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=20)
    profile: Profile = Profile()
    locale: Locale | None = None


class ListInvitations(
    Page, Request[Invitations], subject="identity.invitation.list", needs="users:read", safe=True
):
    """Lists the invitations, newest first."""


class ResendInvitation(
    Request[Invitation], subject="identity.invitation.resend", needs="users:write"
):
    """Sends an invitation again with a new link. The old link stops working. Raises
    InvitationNotFound, FreshSignInNeeded."""

    invitation_id: Id


class RevokeInvitation(Request[Done], subject="identity.invitation.revoke", needs="users:write"):
    """Revokes an invitation. Its link stops working. Raises InvitationNotFound,
    FreshSignInNeeded."""

    invitation_id: Id


class InvitationOffer(Contract):
    """An invitation as the holder of its link sees it."""

    email: str
    name: str | None = None
    expires_at: Timestamp
    password_offered: bool = True


class GetInvitation(
    Request[InvitationOffer], subject="identity.invitation.get", needs=OPEN, safe=True
):
    """Returns the invitation of a link. Raises LinkSpent."""

    token: Token = Field(repr=False)


class AcceptInvitation(
    Attempt,
    Request[SignedInSession],
    subject="identity.invitation.accept",
    needs=OPEN,
    within=10.0,
):
    """Creates the invited user and signs them in. The link proves their address. Raises LinkSpent,
    EmailTaken, WeakPassword."""

    token: Token = Field(repr=False)
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None
