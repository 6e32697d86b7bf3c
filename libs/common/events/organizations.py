"""Organizations."""

from __future__ import annotations

from common.events.base import Event


class OrgCreated(Event, type="org_created"):
    """An organization was created. In the Dashboard it is a team."""

    org_id: str
    slug: str
    is_personal: bool = False


class OrgUpdated(Event, type="org_updated"):
    """Fields of an organization were changed. `fields` has their names, not their values."""

    org_id: str
    fields: list[str]


class OrgDeleted(Event, type="org_deleted"):
    """An organization was deleted with its memberships, invitations and domains."""

    org_id: str
    slug: str


class OrgActivated(Event, type="org_activated"):
    """A user changed the active organization of their session. `null` stands for none."""

    org_id: str | None = None


class MemberAdded(Event, type="member_added"):
    """A user became a member of an organization. `by` is `creation`, `invitation`, `domain`,
    `provider` or `administrator`."""

    org_id: str
    user_id: str
    role: str
    by: str


class MemberRoleChanged(Event, type="member_role_changed"):
    """The role of a member was changed."""

    org_id: str
    user_id: str
    role: str
    before: str


class MemberRemoved(Event, type="member_removed"):
    """A user left an organization or was removed from it."""

    org_id: str
    user_id: str


class OrgAdminLost(Event, type="org_admin_lost"):
    """The last admin of an organization was deleted. It has no admin until an administrator of the
    application appoints one."""

    org_id: str
    user_id: str


class OrgInvitationSent(Event, type="org_invitation_sent"):
    """A person was invited to an organization, or the invitation was sent again."""

    org_id: str
    invitation_id: str
    role: str
    again: bool = False


class OrgInvitationRevoked(Event, type="org_invitation_revoked"):
    """A pending invitation to an organization was revoked."""

    org_id: str
    invitation_id: str


class OrgInvitationAccepted(Event, type="org_invitation_accepted"):
    """An invited person joined an organization."""

    org_id: str
    invitation_id: str
    user_id: str


class OrgDomainAdded(Event, type="org_domain_added"):
    """An e-mail domain was added to an organization. It has no effect until it is verified."""

    org_id: str
    domain: str


class OrgDomainVerified(Event, type="org_domain_verified"):
    """An e-mail domain of an organization was verified."""

    org_id: str
    domain: str


class OrgDomainLost(Event, type="org_domain_lost"):
    """The TXT record of a verified domain was missing for three days. The domain is no longer
    verified."""

    org_id: str
    domain: str


class OrgDomainUpdated(Event, type="org_domain_updated"):
    """The rules for joining through an e-mail domain were changed."""

    org_id: str
    domain: str
    fields: list[str]


class OrgDomainRemoved(Event, type="org_domain_removed"):
    """An e-mail domain of an organization was removed. Its members stay."""

    org_id: str
    domain: str
