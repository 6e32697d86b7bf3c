"""Compares the issuer that a provider names with the issuer of its row."""

from __future__ import annotations

import re
from typing import Final

from identity.providers import calls
from identity.queries.identity_providers import Provider

TENANT: Final = "{tenantid}"
"""Stands for the claim `tid` in the issuer of Microsoft's shared endpoints."""
EVERY_TENANT: Final = "*"
_TENANT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_template(provider: Provider) -> bool:
    """Returns whether the issuer of the row is a template that a tenant fills in."""
    return provider.iss_mode == "template" and TENANT in (provider.issuer or "")


def is_issuer(provider: Provider, iss: str, *, tenant: object) -> bool:
    """Returns whether this is the issuer of the row, one of its aliases, or the row's template filled
    with an accepted tenant."""
    options, expected = calls.options_of(provider), provider.issuer or ""
    if is_template(provider):
        if not isinstance(tenant, str) or not _TENANT_ID.fullmatch(tenant):
            return False
        accepted = EVERY_TENANT in options.tenants or tenant in options.tenants
        return accepted and iss == expected.replace(TENANT, tenant)
    return bool(expected) and iss in (expected, *options.issuer_aliases)


def tenant_of(provider: Provider, iss: str) -> str:
    """Returns the tenant in an issuer that fills the template of the row."""
    before, _, after = (provider.issuer or "").partition(TENANT)
    return iss.removeprefix(before).removesuffix(after)


def only_tenant(provider: Provider) -> str | None:
    """Returns the tenant of a row that accepts one tenant, or None."""
    tenants = calls.options_of(provider).tenants
    return tenants[0] if len(tenants) == 1 and tenants[0] != EVERY_TENANT else None
