"""Table of contents: which function answers which contract."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts import tenancy as contracts
from common.contracts.base import Request
from tenancy import api_keys, applications, tenants

HANDLERS: dict[type[Request[Any]], Handler] = {
    contracts.ResolveHost: tenants.resolve,
    contracts.GetTenant: tenants.get,
    contracts.CreateApplication: applications.create,
    contracts.EnsureApplication: applications.ensure,
    contracts.GetApplication: applications.get,
    contracts.ListApplications: applications.list_,
    contracts.ManageApplication: applications.manage,
    contracts.VerifyApiKey: api_keys.verify,
}
