"""Decides which address an account has, and whether the provider has verified it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from common.address_keys import address_key
from common.context import Context
from common.contracts.provider_options import EmailList, EmailRule
from identity.deps import Deps
from identity.providers import calls, claim_mapping
from identity.providers.failures import ProviderFailed
from identity.queries.identity_providers import Provider

MAX_ENTRIES: Final = 100
"""Addresses that are read from a list."""


@dataclass(frozen=True)
class ProviderAddress:
    """An address, and whether it is verified by the rule of the provider's row."""

    email: str | None = None
    verified: bool = False


def from_claims(provider: Provider, sources: list[dict[str, Any]]) -> ProviderAddress:
    """Returns the first address. A flag counts only for the address that is beside it."""
    rule = calls.options_of(provider).email_rule
    email, verified = None, False
    for source in sources:
        values = [claim_mapping.at(source, path) for path in claim_mapping.paths(provider, "email")]
        value = next(filter(None, map(claim_mapping.address, values)), None)
        if value is None or (email is not None and address_key(value) != address_key(email)):
            continue
        email = email or value
        if _is_denied(source):
            return ProviderAddress(email, False)
        verified = verified or is_verified(rule, source, value)
    return ProviderAddress(email, verified)


def _is_denied(source: dict[str, Any]) -> bool:
    """Returns whether the provider says that the address is not verified. Only true and "true" are a
    yes: other values are seen in the wild, such as "pending"."""
    flag = source.get("email_verified")
    return "email_verified" in source and flag is not True and flag != "true"


def is_verified(rule: EmailRule, source: dict[str, Any], email: str) -> bool:
    """Returns whether the claims say by this rule that the address is verified."""
    if any(_is_null(source, path) for path in rule.not_null):
        return False
    if rule.kind == "claim":
        value = claim_mapping.at(source, rule.path)
        if not any(type(value) is type(good) and value == good for good in rule.values):
            return False
    elif rule.kind != "present":
        return False
    if not rule.domains and rule.unless is None:
        return True
    domain = address_key(email).rpartition("@")[2]
    if domain in rule.domains:
        return True
    return rule.unless is not None and bool(claim_mapping.at(source, rule.unless))


def _is_null(source: dict[str, Any], path: str) -> bool:
    return path in source and source[path] is None


async def from_list(
    deps: Deps, ctx: Context, provider: Provider, addresses: EmailList, *, access_token: str
) -> ProviderAddress:
    """Returns the primary address of the provider's list. Raises ProviderFailed."""
    headers = {"Authorization": f"Bearer {access_token}"}
    answer = await calls.json_answer(
        deps, ctx, provider, "userinfo", url=addresses.endpoint, headers=headers
    )
    entries = claim_mapping.at(answer, addresses.path) if addresses.path else answer
    if not isinstance(entries, list):
        raise ProviderFailed("userinfo", "the list of addresses is not a list")
    for entry in entries[:MAX_ENTRIES]:
        if not isinstance(entry, dict) or claim_mapping.at(entry, addresses.primary) is not True:
            continue
        email = claim_mapping.address(claim_mapping.at(entry, addresses.address))
        if email and address_key(email).rpartition("@")[2] not in addresses.ignored_domains:
            return ProviderAddress(email, claim_mapping.at(entry, addresses.verified) is True)
    return ProviderAddress()
