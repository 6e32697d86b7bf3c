"""The fields of an identity provider's form: from a provider to what people type, and back."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.identity_providers import IdentityProvider
from common.message_ids import N_
from gateway.dashboard.client_fields import lines
from gateway.dashboard.provider_presets import ENDPOINTS
from gateway.pages.fields import Fields

LABELS: Final = {
    "name": N_("Name in the callback URL"),
    "display_name": N_("Name on the button"),
    "issuer": N_("Issuer"),
    "own_issuer": N_("Address of your own server"),
    "authorization_endpoint": N_("Authorization endpoint"),
    "token_endpoint": N_("Token endpoint"),
    "userinfo_endpoint": N_("UserInfo endpoint"),
    "client_id": N_("Client id"),
    "client_secret": N_("Client secret"),
    "private_key": N_("Private key"),
    "team_id": N_("Team id"),
    "key_id": N_("Key id"),
    "hosted_domain": N_("Only accounts of this Workspace domain"),
    "tenants": N_("Only these tenant ids"),
    "scopes": N_("Scopes"),
    "subject": N_("Claim with the account's id"),
    "email_claim": N_("Claim with the address"),
}
HINTS: Final = {
    "name": N_("Lower-case letters, digits, - and _. It cannot be changed later."),
    "issuer": N_("We read everything else from its discovery document."),
    "own_issuer": N_("Leave it empty for gitlab.com."),
    "private_key": N_("The content of the .p8 file."),
    "hosted_domain": N_("Leave it empty to accept all accounts."),
    "tenants": N_("One in each line. Leave it empty to accept all."),
    "scopes": N_("Separated by spaces."),
    "subject": N_("It must never pass to another person: take an id, not a login or an address."),
    "email_claim": N_("Dots lead into objects, like contact.email."),
}
OPTIONAL: Final = frozenset({"own_issuer", "hosted_domain", "tenants", "scopes", "email_claim"})
SECRETS: Final = frozenset({"client_secret", "private_key"})
"""They are never shown again, not even after an error."""
IN_OPTIONS: Final = ("team_id", "key_id", "hosted_domain")
ALL_TENANTS: Final = "*"


def settings_of(fields: Fields, names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the settings of ProviderFields that a form has, without its secrets. Empty fields are
    left to the preset."""
    values = {name: text for name in names if (text := fields.text_or_none(name))}
    settings: dict[str, Any] = {
        name: values[name]
        for name in ("display_name", "client_id", "issuer", *ENDPOINTS)
        if name in values
    }
    if "own_issuer" in values:
        settings["issuer"] = values["own_issuer"]
    if "scopes" in values:
        settings["scopes"] = values["scopes"].split()
    claims = {"subject": values.get("subject"), "email": values.get("email_claim")}
    mapping = {claim: [path] for claim, path in claims.items() if path}
    if mapping:
        settings["claim_mapping"] = mapping
    options: dict[str, Any] = {name: values[name] for name in IN_OPTIONS if name in values}
    if "tenants" in values:
        options["tenants"] = lines(values["tenants"])
    if options:
        settings["options"] = options
    return settings


def secret_of(fields: Fields) -> str | None:
    """Returns the secret that was typed, if any."""
    return fields.text_or_none("client_secret") or fields.text_or_none("private_key")


def names_of(provider: IdentityProvider) -> tuple[str, ...]:
    """Returns the fields of the form that changes a provider."""
    names = ["display_name", "client_id"]
    signed = provider.auth_method == "signed_secret"
    names.append("private_key" if signed else "client_secret")
    names += ["team_id", "key_id"] if signed else []
    names += ["hosted_domain"] if provider.preset == "google" else []
    names += ["tenants"] if provider.preset == "microsoft" else []
    if provider.preset is None or provider.preset == "gitlab":
        names += ["issuer"] if provider.type == "oidc" else list(ENDPOINTS)
    return (*names, "scopes")


def values_of(provider: IdentityProvider) -> dict[str, str]:
    """Returns the texts that the form shows. No secret is among them."""
    values = {name: getattr(provider, name) or "" for name in ("issuer", *ENDPOINTS)}
    values |= {name: getattr(provider.options, name) or "" for name in IN_OPTIONS}
    tenants = [tenant for tenant in provider.options.tenants if tenant != ALL_TENANTS]
    return values | {
        "display_name": provider.display_name,
        "client_id": provider.client_id,
        "scopes": " ".join(provider.scopes),
        "tenants": "\n".join(tenants),
        "position": str(provider.position),
        "trusts_email": "on" if provider.trusts_email else "",
        **dict.fromkeys(SECRETS, ""),
    }


def typed(fields: Fields, provider: IdentityProvider) -> dict[str, str]:
    """Returns the texts of a posted form. A field that it does not have keeps its value."""
    values = values_of(provider)
    for name in (*names_of(provider), "position"):
        if name in fields:
            values[name] = fields.text(name)
    if "tenants" in fields:
        values["tenants"] = "\n".join(lines(fields.get("tenants")))
    values["trusts_email"] = "on" if "trusts_email" in fields else ""
    return values


def changes(provider: IdentityProvider, values: dict[str, str]) -> dict[str, Any]:
    """Returns the settings that differ from those of the provider."""
    before = values_of(provider)
    changed: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, text in values.items():
        if name in SECRETS or text == before[name]:
            continue
        if name == "tenants":
            options[name] = lines(text) or [ALL_TENANTS]
        elif name in IN_OPTIONS:
            options[name] = text or None
        else:
            changed[name] = _parsed(name, text)
    return changed | ({"options": options} if options else {})


def _parsed(name: str, text: str) -> Any:
    if name == "scopes":
        return text.split()
    if name == "trusts_email":
        return text == "on"
    if name == "position" and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return text or None
