"""Organizations."""

from __future__ import annotations

from common.events.base import Event


class OrgCreated(Event, type="org_created"):
    """An organization came to be; in the Dashboard, a developer team."""

    org_id: str
    slug: str
    is_personal: bool = False


class OrgUpdated(Event, type="org_updated"):
    """Fields of an organization changed; their names, not their values."""

    org_id: str
    fields: list[str]


class OrgDeleted(Event, type="org_deleted"):
    """An organization is gone, with memberships, invitations and domains."""

    org_id: str
    slug: str


class OrgActivated(Event, type="org_activated"):
    """A user changed the active organization of their session; null: none."""

    org_id: str | None = None


class MemberAdded(Event, type="member_added"):
    """A user joined an organization. `by`: creation, invitation, domain or administrator."""

    org_id: str
    user_id: str
    role: str
    by: str


class MemberRoleChanged(Event, type="member_role_changed"):
    """A member's role in an organization changed."""

    org_id: str
    user_id: str
    role: str
    before: str


class MemberRemoved(Event, type="member_removed"):
    """A user left an organization, or was put out of it."""

    org_id: str
    user_id: str


class OrgAdminLost(Event, type="org_admin_lost"):
    """The last admin of an organization was deleted: nobody manages it until the application
    names another."""

    org_id: str
    user_id: str


class OrgInvitationSent(Event, type="org_invitation_sent"):
    """Somebody was invited into an organization, or invited again."""

    org_id: str
    invitation_id: str
    role: str
    again: bool = False


class OrgInvitationRevoked(Event, type="org_invitation_revoked"):
    """A pending invitation was withdrawn."""

    org_id: str
    invitation_id: str


class OrgInvitationAccepted(Event, type="org_invitation_accepted"):
    """The invited person joined."""

    org_id: str
    invitation_id: str
    user_id: str


class OrgDomainAdded(Event, type="org_domain_added"):
    """An organization claims an e-mail domain; nothing follows from it until it is proven."""

    org_id: str
    domain: str


class OrgDomainVerified(Event, type="org_domain_verified"):
    """An organization has proven an e-mail domain."""

    org_id: str
    domain: str


class OrgDomainUpdated(Event, type="org_domain_updated"):
    """The rule by which people join through an organization's domain, or their role, changed."""

    org_id: str
    domain: str
    fields: list[str]


class OrgDomainRemoved(Event, type="org_domain_removed"):
    """An organization gave up an e-mail domain; its members stay."""

    org_id: str
    domain: str
