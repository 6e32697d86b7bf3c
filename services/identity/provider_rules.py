"""Rules that an identity provider has to satisfy before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from common.context import Context
from common.contracts.identity_providers import ProviderFields
from common.egress import Egress
from common.field_errors import FieldError, field_error
from common.problems import Forbidden, Invalid
from identity.providers.client_secret import private_key
from identity.providers.metadata import ENDPOINTS, TENANT, is_endpoint
from identity.providers.presets import PRESETS
from identity.queries.identity_providers import Provider

Mistakes = Iterator[FieldError]
OF_ONE_SERVER: Final = ("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint")
"""Fields that make a preset's row point to another server than the preset's."""
SECRET_GOES_TO: Final = ("issuer", "token_endpoint", "jwks_uri", "auth_method")
HARMLESS: Final = frozenset({"display_name", "position", "enabled"})
"""Fields that do not change whose word a provider's answer is."""


def with_preset(preset: str | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings, with the preset's values for those that are absent.

    Another server than the preset's has its own rules: its word about addresses does not count unless
    the settings say so, and what the preset knows about the issuer is left out.
    """
    if preset is None:
        return settings
    data = dict(PRESETS[preset])
    options = dict(data.get("options", {}))
    if any(settings.get(name, data.get(name)) != data.get(name) for name in OF_ONE_SERVER):
        data.pop("trusts_email", None)
        for name in ("discovery_url", "issuer_aliases", "tenants"):
            options.pop(name, None)
    own = settings.get("options")
    merged = options | own if isinstance(own, dict) else own if "options" in settings else options
    return data | settings | {"options": merged}


def check_organizations(ctx: Context, *org_ids: str | None) -> None:
    """Checks that the caller may manage the organizations that the provider belongs to, or comes to
    belong to. Raises Forbidden."""
    if any(org_ids) and not ctx.caller.may("organizations:write"):
        raise Forbidden("requires organizations:write", needs="organizations:write")


def check(fields: ProviderFields, *, secret: str | None, egress: Egress) -> None:
    """Raises Invalid if the provider could never work. `secret` is a new secret or None; `egress`
    says with which hosts plain http may be spoken."""
    errors = [error for rule in RULES for error in rule(fields, egress)]
    if fields.auth_method == "signed_secret":
        errors += list(_signed_secret(fields, secret))
    if errors:
        raise Invalid(errors=errors)


def _urls_are_https(fields: ProviderFields, egress: Egress) -> Mistakes:
    for name in ENDPOINTS:
        url = getattr(fields, name)
        if url is not None and not is_endpoint(url, egress):
            yield field_error(name, "uri_not_plain_https")
    emails, discovery = fields.options.emails, fields.options.discovery_url
    if emails and not is_endpoint(emails.endpoint, egress):
        yield field_error("options.emails.endpoint", "uri_not_plain_https")
    if discovery and (not is_endpoint(discovery, egress) or TENANT in urlsplit(discovery).netloc):
        yield field_error("options.discovery_url", "uri_not_plain_https")
    issuer = fields.issuer and fields.issuer.replace("{tenantid}", "tenant")
    if issuer is not None and (not is_endpoint(issuer, egress) or "?" in issuer):
        yield field_error("issuer", "uri_not_plain_https")


def _type_is_complete(fields: ProviderFields, _: Egress) -> Mistakes:
    if fields.type == "oidc":
        if fields.issuer is None:
            yield field_error("issuer", "required")
        return
    required = ["authorization_endpoint", "token_endpoint"]
    if fields.options.userinfo != "token_answer":
        required.append("userinfo_endpoint")
    for name in required:
        if getattr(fields, name) is None:
            yield field_error(name, "required")
    if not fields.claim_mapping.get("subject"):
        yield field_error("claim_mapping.subject", "required")


def _signed_secret(fields: ProviderFields, secret: str | None) -> Mistakes:
    for name in ("team_id", "key_id"):
        if getattr(fields.options, name) is None:
            yield field_error(f"options.{name}", "required")
    if secret is not None and private_key(secret) is None:
        yield field_error("client_secret", "private_key_malformed")


RULES: Final[tuple[Callable[[ProviderFields, Egress], Mistakes], ...]] = (
    _urls_are_https,
    _type_is_complete,
)


def is_fixed_changed(before: Provider, after: ProviderFields) -> bool:
    """Returns whether a setting differs that identifies the users of a provider."""
    return (
        before.type != after.type
        or before.org_id != after.org_id
        or before.issuer != after.issuer
        or (before.claim_mapping.get("subject") or []) != after.claim_mapping.get("subject", [])
    )


def needs_secret_again(before: Provider, after: ProviderFields) -> bool:
    """Returns whether the stored secret would be sent to another server than before. The
    secret is never shown, so nobody may send it to a server of theirs either."""
    moved = any(getattr(before, name) != getattr(after, name) for name in SECRET_GOES_TO)
    return moved or before.options.get("discovery_url") != after.options.discovery_url
