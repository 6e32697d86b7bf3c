"""Invitations to an organization."""

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
    """The address has a pending invitation to this organization."""

    code = "organization_invitation_pending"
    title = "This address has a pending invitation. Resend that one."


class OrganizationInvitationNotFound(NotFound):
    """The invitation is unknown, used, revoked or expired. The answer does not tell which."""

    code = "organization_invitation_not_found"
    title = "This invitation does not exist or is no longer open."


class OtherAddress(Forbidden):
    """The invitation was sent to an address that is not the caller's."""

    code, title = "other_address", "This invitation is for another e-mail address."


InvitationStatus = Literal["pending", "accepted", "revoked", "expired"]


class OrganizationInvitation(Contract):
    """An invitation to an organization. Its token is only in the e-mail."""

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
    """A page of invitations to an organization."""

    invitations: list[OrganizationInvitation]
    next: str | None = None


class Invite(Contract):
    """The person to invite to an organization."""

    email: Email
    role: RoleId | None = Field(
        default=None,
        description="The role of the new member. Default: `member`, and `developer` in a team.",
    )
    expires_in: int = Field(
        default=7 * 86_400,
        ge=3600,
        le=90 * 86_400,
        description="How long the link works, in seconds.",
    )
    locale: Locale | None = Field(default=None, description="The language of the e-mail.")


class InviteMember(
    Invite,
    Request[OrganizationInvitation],
    subject="tenancy.invitation.create",
    needs=KNOWN,
    impersonated=True,
):
    """Sends a link that works once. The answer does not tell whether the address has an account.
    Raises OrganizationNotFound, RoleNotFound, AlreadyMember, OrganizationInvitationPending."""

    org_id: Id


class ListOrganizationInvitations(
    Page,
    Request[OrganizationInvitations],
    subject="tenancy.invitation.list",
    needs=KNOWN,
    safe=True,
):
    """Lists the invitations of an organization, newest first. For admins."""

    org_id: Id
    status: InvitationStatus | None = None


class ResendOrganizationInvitation(
    Request[OrganizationInvitation], subject="tenancy.invitation.resend", needs=KNOWN
):
    """Sends an invitation again, with a new link that works for the full time. The old link stops
    working. Expired invitations can be sent again, too. Raises OrganizationInvitationNotFound."""

    org_id: Id
    invitation_id: Id
    locale: Locale | None = None


class RevokeOrganizationInvitation(Request[Done], subject="tenancy.invitation.revoke", needs=KNOWN):
    """Revokes an invitation. Its link stops working. Raises OrganizationInvitationNotFound."""

    org_id: Id
    invitation_id: Id


class OrganizationOffer(Contract):
    """An invitation as the holder of its link sees it."""

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
    """Returns the invitation of a link, for its page, and for sign-up in applications that are by
    invitation only. Only the reader of the mail to `email` has the token. Raises
    OrganizationInvitationNotFound."""

    token: Token = Field(repr=False)


class AcceptOrganizationInvitation(
    Request[Organization], subject="tenancy.invitation.accept", needs=SIGNED_IN
):
    """Adds the caller to the organization. Their address must be the invited one. The comparison
    ignores case. Raises OrganizationInvitationNotFound, OtherAddress."""

    token: Token = Field(repr=False)
