"""Table of contents: which function answers which contract."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts import api_keys as keys
from common.contracts import applications as changes
from common.contracts import audit_log
from common.contracts import domains as names
from common.contracts import organizations as orgs
from common.contracts import tenancy as contracts
from common.contracts.base import Request
from tenancy import (
    api_keys,
    app_settings,
    application_changes,
    applications,
    audit,
    departures,
    domains,
    invitations,
    members,
    org_domains,
    organizations,
    tenants,
)

HANDLERS: dict[type[Request[Any]], Handler] = {
    contracts.ResolveHost: tenants.resolve,
    contracts.GetTenant: tenants.get,
    contracts.CreateApplication: applications.create,
    contracts.EnsureApplication: applications.ensure,
    contracts.GetApplication: applications.get,
    contracts.ListApplications: applications.list_,
    contracts.ManageApplication: applications.manage,
    changes.UpdateApplication: application_changes.update,
    changes.TransferApplication: application_changes.transfer,
    changes.DeleteApplication: application_changes.delete,
    changes.GetSettings: app_settings.get,
    changes.UpdateSettings: app_settings.update,
    contracts.VerifyApiKey: api_keys.verify,
    orgs.CreateOrganization: organizations.create,
    orgs.ListOrganizations: organizations.list_,
    orgs.GetOrganization: organizations.get,
    orgs.UpdateOrganization: organizations.update,
    orgs.DeleteOrganization: organizations.delete,
    orgs.SwitchOrganization: organizations.switch,
    orgs.EnsurePersonalTeam: organizations.personal,
    orgs.ListMembers: members.list_,
    orgs.AddMember: members.add,
    orgs.ChangeMemberRole: members.change_role,
    orgs.RemoveMember: members.remove,
    orgs.LeaveOrganizations: departures.leave_all,
    orgs.JoinByDomain: members.join_by_domain,
    orgs.InviteMember: invitations.invite,
    orgs.ListOrganizationInvitations: invitations.list_,
    orgs.ResendOrganizationInvitation: invitations.resend,
    orgs.RevokeOrganizationInvitation: invitations.revoke,
    orgs.GetOrganizationOffer: invitations.offer,
    orgs.AcceptOrganizationInvitation: invitations.accept,
    orgs.AddOrganizationDomain: org_domains.add,
    orgs.ListOrganizationDomains: org_domains.list_,
    orgs.VerifyOrganizationDomain: org_domains.verify,
    orgs.UpdateOrganizationDomain: org_domains.update,
    orgs.DeleteOrganizationDomain: org_domains.delete,
    keys.ListApiKeys: api_keys.list_,
    keys.CreateApiKey: api_keys.create,
    keys.RevokeApiKey: api_keys.revoke,
    keys.RotateApiKey: api_keys.rotate,
    audit_log.ListAudit: audit.list_,
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
