"""Host to application."""

from __future__ import annotations

import re
from typing import Final

from common.context import Context, new_trace
from common.contracts.tenancy import ResolveHost, Tenant, UnknownHost
from common.ids import DASHBOARD
from gateway.state import UNKNOWN, Gateway

HOST: Final = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$")
DEFAULT_PORT: Final = {"http": ":80", "https": ":443"}


def canonical(host: str, scheme: str) -> str:
    """Lower case, without trailing dot or the scheme's default port. Raises UnknownHost for what
    can be no host of ours: underscores, spaces, brackets, non-ASCII."""
    host = host.strip().lower()
    name, colon, port = host.partition(":")
    host = name.rstrip(".") + colon + port
    host = host.removesuffix(DEFAULT_PORT[scheme])
    if not HOST.match(host):
        raise UnknownHost
    return host


async def resolve(gateway: Gateway, host: str, deadline: float) -> Tenant:
    """The application that answers on a canonical host. Raises UnknownHost."""
    key = (UNKNOWN, "host", host)
    if (known := gateway.tenants.get(key)) is not None:
        return known
    ctx = Context(DASHBOARD, deadline=deadline, trace=new_trace())
    return await gateway.tenants.fetch(
        key,
        lambda: gateway.bus.call(ctx, ResolveHost(host=host)),
        tags=lambda tenant: [("application", tenant.app_id)],
    )
