"""Invitations into an organization."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from common.contracts.base import (
    KNOWN,
    OPEN,
    SIGNED_IN,
    Contract,
    Done,
    Id,
    Page,
    Request,
)
from common.contracts.fields import Email, Locale, Timestamp, Token
from common.contracts.organizations import Organization
from common.contracts.roles import RoleId
from common.problems import Conflict, Forbidden, NotFound

INVITATION_PATH: Final = "/accept-org-invite"
"""The page an invitation's link leads to, with `?token=`."""


class OrganizationInvitationPending(Conflict):
    code, title = "organization_invitation_pending", "This address has a pending invitation."


class OrganizationInvitationNotFound(NotFound):
    """Unknown, used, revoked, expired: nobody learns which."""

    code, title = "organization_invitation_not_found", "There is no such invitation."


class OtherAddress(Forbidden):
    """The invitation was mailed to an address that is not the caller's."""

    code, title = "other_address", "This invitation is for another address."


InvitationStatus = Literal["pending", "accepted", "revoked", "expired"]


class OrganizationInvitation(Contract):
    """Never with its token: that is only in the mail."""

    id: Id
    org_id: Id
    email: str
    role: str
    status: InvitationStatus
    invited_by: Id | None = None
    accepted_at: Timestamp | None = None
    sent_at: Timestamp
    expires_at: Timestamp
    created_at: Timestamp


class OrganizationInvitations(Contract):
    invitations: list[OrganizationInvitation]
    next: str | None = None


class Invite(Contract):
    email: Email
    role: RoleId | None = Field(
        default=None, description="As what; else `member`, and `developer` in a developer team."
    )
    expires_in: int = Field(default=7 * 86_400, ge=3600, le=90 * 86_400, description="Seconds.")
    locale: Locale | None = Field(default=None, description="Of the mail.")


class InviteMember(
    Invite, Request[OrganizationInvitation], subject="tenancy.invitation.create", needs=KNOWN
):
    """Mail a link that works once. Whether the address has an account is not told. Raises
    OrganizationNotFound, RoleNotFound, AlreadyMember, OrganizationInvitationPending."""

    org_id: Id


class ListOrganizationInvitations(
    Page,
    Request[OrganizationInvitations],
    subject="tenancy.invitation.list",
    needs=KNOWN,
    safe=True,
):
    """The newest first, for its admins."""

    org_id: Id
    status: InvitationStatus | None = None


class ResendOrganizationInvitation(
    Request[OrganizationInvitation], subject="tenancy.invitation.resend", needs=KNOWN
):
    """A new link with the time it had at first; the old link is dead. An expired one lives again.
    Raises OrganizationInvitationNotFound."""

    org_id: Id
    invitation_id: Id
    locale: Locale | None = None


class RevokeOrganizationInvitation(Request[Done], subject="tenancy.invitation.revoke", needs=KNOWN):
    """Raises OrganizationInvitationNotFound."""

    org_id: Id
    invitation_id: Id


class OrganizationOffer(Contract):
    """The invitation, as the holder of its link may see it before accepting."""

    org_id: Id
    org_name: str
    org_slug: str
    logo_url: str | None = None
    email: str
    role: str
    expires_at: Timestamp


class GetOrganizationOffer(
    Request[OrganizationOffer], subject="tenancy.invitation.offer", needs=OPEN, safe=True
):
    """For the landing page, and for sign-up where the application takes new users by invitation
    only: who holds the token has read the mail sent to `email`. Raises
    OrganizationInvitationNotFound."""

    token: Token = Field(repr=False)


class AcceptOrganizationInvitation(
    Request[Organization], subject="tenancy.invitation.accept", needs=SIGNED_IN
):
    """The caller's address must be the invited one, case ignored. Raises
    OrganizationInvitationNotFound, OtherAddress."""

    token: Token = Field(repr=False)
