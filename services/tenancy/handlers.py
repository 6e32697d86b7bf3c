"""Table of contents: which function answers which contract."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts import audit_log
from common.contracts import domains as names
from common.contracts.api_keys import (
    CreateApiKey,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
    VerifyApiKey,
)
from common.contracts.applications import (
    CreateApplication,
    DeleteApplication,
    EnsureApplication,
    GetApplication,
    ListApplications,
    TransferApplication,
    UpdateApplication,
)
from common.contracts.base import Request
from common.contracts.members import (
    AddMember,
    ChangeMemberRole,
    LeaveOrganizations,
    ListMembers,
    RemoveMember,
)
from common.contracts.org_domains import (
    AddOrganizationDomain,
    DeleteOrganizationDomain,
    JoinByDomain,
    ListOrganizationDomains,
    UpdateOrganizationDomain,
    VerifyOrganizationDomain,
)
from common.contracts.org_invitations import (
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    InviteMember,
    ListOrganizationInvitations,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import (
    CreateOrganization,
    DeleteOrganization,
    EnsurePersonalTeam,
    GetOrganization,
    ListOrganizations,
    SwitchOrganization,
    UpdateOrganization,
)
from common.contracts.settings_change import GetSettings, UpdateSettings
from common.contracts.tenants import GetTenant, ManageApplication, ResolveHost
from tenancy import (
    api_keys,
    app_settings,
    application_changes,
    applications,
    audit,
    domains,
    invitations,
    leave_organizations,
    members,
    org_domains,
    organizations,
    tenants,
)

HANDLERS: dict[type[Request[Any]], Handler] = {
    ResolveHost: tenants.resolve,
    GetTenant: tenants.get,
    CreateApplication: applications.create,
    EnsureApplication: applications.ensure,
    GetApplication: applications.get,
    ListApplications: applications.list_,
    ManageApplication: applications.manage,
    UpdateApplication: application_changes.update,
    TransferApplication: application_changes.transfer,
    DeleteApplication: application_changes.delete,
    GetSettings: app_settings.get,
    UpdateSettings: app_settings.update,
    VerifyApiKey: api_keys.verify,
    CreateOrganization: organizations.create,
    ListOrganizations: organizations.list_,
    GetOrganization: organizations.get,
    UpdateOrganization: organizations.update,
    DeleteOrganization: organizations.delete,
    SwitchOrganization: organizations.switch,
    EnsurePersonalTeam: organizations.personal,
    ListMembers: members.list_,
    AddMember: members.add,
    ChangeMemberRole: members.change_role,
    RemoveMember: members.remove,
    LeaveOrganizations: leave_organizations.leave_all,
    JoinByDomain: members.join_by_domain,
    InviteMember: invitations.invite,
    ListOrganizationInvitations: invitations.list_,
    ResendOrganizationInvitation: invitations.resend,
    RevokeOrganizationInvitation: invitations.revoke,
    GetOrganizationOffer: invitations.offer,
    AcceptOrganizationInvitation: invitations.accept,
    AddOrganizationDomain: org_domains.add,
    ListOrganizationDomains: org_domains.list_,
    VerifyOrganizationDomain: org_domains.verify,
    UpdateOrganizationDomain: org_domains.update,
    DeleteOrganizationDomain: org_domains.delete,
    ListApiKeys: api_keys.list_,
    CreateApiKey: api_keys.create,
    RevokeApiKey: api_keys.revoke,
    RotateApiKey: api_keys.rotate,
    audit_log.ListAudit: audit.list_,
    audit_log.ListUserAudit: audit.of_user,
    audit_log.GetAuditRecord: audit.get,
    audit_log.CountAudit: audit.count,
    audit_log.ExportAudit: audit.export,
    audit_log.ListCheckpoints: audit.checkpoints,
    audit_log.FollowAudit: audit.follow,
    names.ListCustomDomains: domains.list_,
    names.AddCustomDomain: domains.add,
    names.VerifyCustomDomain: domains.verify,
    names.SetPrimaryDomain: domains.promote,
    names.RemoveCustomDomain: domains.remove,
    names.IsDomainAllowed: domains.allow,
}
