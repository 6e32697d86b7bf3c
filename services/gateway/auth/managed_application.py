"""The application that a developer manages on the Dashboard's host: the one path across applications."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.context import Context
from common.contracts.tenants import ManageApplication, Tenant
from gateway.http.request import GatewayRequest
from gateway.state import Gateway


@dataclass(frozen=True)
class ManagedApplication:
    """An application, the caller's permissions in it, and the Context in which they act there."""

    tenant: Tenant
    permissions: frozenset[str]
    ctx: Context


async def managed_application(
    gateway: Gateway, request: GatewayRequest, ctx: Context, slug: str
) -> ManagedApplication:
    """Returns the application with this slug for a caller on the Dashboard's host. Its Context has the
    application's own origin, which is its issuer. Raises ApplicationNotFound if it belongs to another
    team, Forbidden without `apps:read`."""
    managed = await gateway.bus.call(ctx, ManageApplication(slug=slug))
    tenant = managed.tenant
    request.state.log_facts["managed"] = tenant.app_id
    permissions = frozenset(managed.permissions)
    developer = replace(
        ctx.caller, kind="developer", permissions=permissions, org_id=None, delegated=False
    )
    inside = request.context(developer, app_id=tenant.app_id, home=tenant.home)
    return ManagedApplication(
        tenant=tenant,
        permissions=permissions,
        ctx=replace(inside, origin=tenant.origin),
    )
