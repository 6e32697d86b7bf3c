"""Table of contents: which function answers which contract."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts import api_keys as keys
from common.contracts import applications as changes
from common.contracts import audit_log
from common.contracts import tenancy as contracts
from common.contracts.base import Request
from tenancy import api_keys, app_settings, application_changes, applications, audit, tenants

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
    audit_log.SealAudit: audit.seal,
}
