"""The application of a host."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Final

from common import logs
from common.address_keys import host_key
from common.context import Context, new_trace
from common.contracts.tenants import ResolveHost, Tenant, UnknownHost
from common.ids import DASHBOARD
from gateway.admission.admission import Admission
from gateway.admission.flood_limits import NO_TENANT
from gateway.http.request import TIME_LIMIT
from gateway.state import Gateway

HOST: Final = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$")
DEFAULT_PORT: Final = {"http": ":80", "https": ":443"}


@lru_cache(maxsize=1024)
def canonical(host: str, scheme: str) -> str:
    """Returns the host in lower case, without trailing dot and without the scheme's default port.
    Raises UnknownHost for a name with other characters than letters, digits, dots and hyphens."""
    host = host_key(host).removesuffix(DEFAULT_PORT[scheme])
    if not HOST.match(host) or ".." in host or ".:" in host:
        raise UnknownHost
    return host


async def resolve_host(gateway: Gateway, admission: Admission, host: str) -> Tenant:
    """Returns the application that answers on a canonical host. Raises UnknownHost."""
    key = (NO_TENANT, "host", host)
    if (tenant := gateway.tenants.get(key)) is not None:
        return tenant
    admission.before_lookup(host)
    ctx = Context(
        DASHBOARD, deadline=time.monotonic() + TIME_LIMIT, trace=logs.trace.get() or new_trace()
    )
    try:
        tenant = await gateway.tenants.fetch(
            key,
            lambda: gateway.bus.call(ctx, ResolveHost(host=host)),
            tags=lambda tenant: [("application", tenant.app_id)],
        )
    except UnknownHost:
        admission.after_lookup(host, exists=False)
        raise
    admission.after_lookup(host, exists=True)
    return tenant
