"""Names the handler of each contract that tenancy answers."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts.api_keys import (
    CheckApiKey,
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
from common.contracts.audit_log import (
    CountAudit,
    ExportAudit,
    FollowAudit,
    GetAuditRecord,
    ListAudit,
    ListCheckpoints,
    ListOwnAudit,
    ListUserAudit,
)
from common.contracts.base import Request
from common.contracts.database_state import GetDatabaseState
from common.contracts.developers import GetDeveloperTeams
from common.contracts.domains import (
    AddCustomDomain,
    IsDomainAllowed,
    ListCustomDomains,
    RemoveCustomDomain,
    SetPrimaryDomain,
    VerifyCustomDomain,
)
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
    ListUserOrganizations,
    SwitchOrganization,
    UpdateOrganization,
)
from common.contracts.platform_applications import (
    GetPlatformApplication,
    LabelApplications,
    ListPlatformApplications,
)
from common.contracts.platform_settings import GetPlatformSettings, UpdatePlatformSettings
from common.contracts.settings_change import GetSettings, UpdateSettings
from common.contracts.sso_members import JoinThroughProvider
from common.contracts.tenants import GetTenant, ManageApplication, ResolveHost
from common.contracts.usage import CountUsage
from tenancy import (
    api_keys,
    app_settings,
    application_creation,
    application_deletion,
    application_transfer,
    applications,
    audit,
    audit_export,
    database_state,
    domains,
    leave_organizations,
    members,
    org_domains,
    org_invitations,
    organization_creation,
    organizations,
    platform_applications,
    platform_settings,
    sso_members,
    tenant_lookup,
    usage,
    user_organizations,
)

HANDLERS: dict[type[Request[Any]], Handler] = {
    ResolveHost: tenant_lookup.resolve,
    GetTenant: tenant_lookup.get,
    CreateApplication: application_creation.create,
    EnsureApplication: application_creation.ensure,
    GetApplication: applications.get,
    ListApplications: applications.list_,
    ManageApplication: applications.manage,
    UpdateApplication: applications.update,
    TransferApplication: application_transfer.transfer,
    DeleteApplication: application_deletion.delete,
    GetDatabaseState: database_state.get,
    GetPlatformSettings: platform_settings.get,
    UpdatePlatformSettings: platform_settings.update,
    GetSettings: app_settings.get,
    UpdateSettings: app_settings.update,
    VerifyApiKey: api_keys.verify,
    CheckApiKey: api_keys.check,
    CreateOrganization: organization_creation.create,
    ListOrganizations: organizations.list_,
    ListUserOrganizations: user_organizations.list_,
    GetOrganization: organizations.get,
    UpdateOrganization: organizations.update,
    DeleteOrganization: organizations.delete,
    SwitchOrganization: organizations.switch,
    EnsurePersonalTeam: organization_creation.ensure_personal_team,
    ListMembers: members.list_,
    AddMember: members.create,
    ChangeMemberRole: members.update,
    RemoveMember: members.delete,
    LeaveOrganizations: leave_organizations.leave_all,
    JoinByDomain: members.create_by_domain,
    JoinThroughProvider: sso_members.join,
    InviteMember: org_invitations.create,
    ListOrganizationInvitations: org_invitations.list_,
    ResendOrganizationInvitation: org_invitations.resend,
    RevokeOrganizationInvitation: org_invitations.revoke,
    GetOrganizationOffer: org_invitations.get_offer,
    AcceptOrganizationInvitation: org_invitations.accept,
    AddOrganizationDomain: org_domains.create,
    ListOrganizationDomains: org_domains.list_,
    VerifyOrganizationDomain: org_domains.verify,
    UpdateOrganizationDomain: org_domains.update,
    DeleteOrganizationDomain: org_domains.delete,
    ListApiKeys: api_keys.list_,
    CreateApiKey: api_keys.create,
    RevokeApiKey: api_keys.revoke,
    RotateApiKey: api_keys.rotate,
    ListAudit: audit.list_,
    ListOwnAudit: audit.list_own,
    ListUserAudit: audit.list_of_user,
    GetAuditRecord: audit.get,
    CountAudit: audit.count,
    ExportAudit: audit_export.export,
    ListCheckpoints: audit.list_checkpoints,
    FollowAudit: audit.follow,
    CountUsage: usage.count,
    ListCustomDomains: domains.list_,
    AddCustomDomain: domains.create,
    VerifyCustomDomain: domains.verify,
    SetPrimaryDomain: domains.set_primary,
    RemoveCustomDomain: domains.delete,
    IsDomainAllowed: domains.check_allowed,
    ListPlatformApplications: platform_applications.list_,
    GetPlatformApplication: platform_applications.get,
    LabelApplications: platform_applications.label,
    GetDeveloperTeams: platform_applications.teams_of_developer,
}
