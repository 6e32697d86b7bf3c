"""Host to application."""

from __future__ import annotations

import re
import time
from typing import Final

from common.address_keys import host_key
from common.context import Context, new_trace
from common.contracts.tenants import ResolveHost, Tenant, UnknownHost
from common.ids import DASHBOARD
from gateway.admission.flood_limits import NO_TENANT
from gateway.http.request import WITHIN, GatewayRequest

HOST: Final = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$")
DEFAULT_PORT: Final = {"http": ":80", "https": ":443"}


def canonical(host: str, scheme: str) -> str:
    """Lower case, without trailing dot or the scheme's default port. Raises UnknownHost for what
    can be no host of ours: underscores, spaces, brackets, non-ASCII."""
    host = host_key(host).removesuffix(DEFAULT_PORT[scheme])
    if not HOST.match(host) or ".." in host or ".:" in host:
        raise UnknownHost
    return host


async def resolve(visit: GatewayRequest) -> Tenant:
    """The application that answers on a canonical host. Raises UnknownHost."""
    gateway, host = visit.gateway, visit.host
    key = (NO_TENANT, "host", host)
    if (known := gateway.tenants.get(key)) is not None:
        return known
    gateway.limits.before_lookup(visit, host)
    ctx = Context(DASHBOARD, deadline=time.time() + WITHIN, trace=new_trace())
    try:
        found = await gateway.tenants.fetch(
            key,
            lambda: gateway.bus.call(ctx, ResolveHost(host=host)),
            tags=lambda tenant: [("application", tenant.app_id)],
        )
    except UnknownHost:
        gateway.limits.after_lookup(visit, host, found=False)
        raise
    gateway.limits.after_lookup(visit, host, found=True)
    return found
