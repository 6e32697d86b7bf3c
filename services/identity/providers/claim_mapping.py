"""Reads an account out of a provider's claims, by declarative rules."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from common.contracts.fields import UNSEEN, Email
from common.contracts.provider_options import AccountClaim
from identity.providers.failures import ProviderFailed
from identity.queries.identity_providers import Provider

STANDARD: Final[dict[AccountClaim, list[str]]] = {
    "subject": ["sub"],
    "email": ["email"],
    "username": ["preferred_username"],
    "name": ["name"],
    "given_name": ["given_name"],
    "family_name": ["family_name"],
    "picture": ["picture"],
    "locale": ["locale"],
}
"""The claims of OpenID Connect Core 1.0 section 5.1."""
DEPTH: Final = 6
"""Objects that a path can lead through."""
TEXT: Final = 200
"""Characters of a name."""
SUBJECT: Final = 255
URL: Final = 2000
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(Email)


def paths(provider: Provider, target: AccountClaim) -> list[str]:
    """Returns where a part of an account is at this provider."""
    own = provider.claim_mapping.get(target)
    if isinstance(own, list) and own:
        return [str(path) for path in own[:8]]
    return STANDARD[target] if provider.type == "oidc" or target != "subject" else []


def at(claims: Any, path: str) -> Any:
    """Returns the value at a path, or None. A claim that has the whole path as its name wins."""
    value = claims
    if isinstance(value, dict) and path in value:
        return value[path]
    for name in path.split(".", DEPTH):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def subject(provider: Provider, claims: dict[str, Any]) -> str:
    """Returns the subject. Raises ProviderFailed.

    All parts of it must be there. A part is never replaced by another claim, and a dot inside one of
    several parts is encoded: two accounts could otherwise have one subject.
    """
    parts = [_identifier(at(claims, path)) for path in paths(provider, "subject")]
    if len(parts) > 1:
        parts = [part.replace("%", "%25").replace(".", "%2E") for part in parts]
    text = ".".join(parts)
    if not parts or not all(parts) or len(text) > SUBJECT:
        raise ProviderFailed("response", "the provider did not say which account this is")
    return text


def _identifier(value: object) -> str:
    """Returns an identifier as text. Whole numbers count, as GitHub sends them; nothing else does."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.isprintable() else ""


def text(provider: Provider, sources: list[dict[str, Any]], target: AccountClaim) -> str | None:
    """Returns a text for people, on one line and without what cannot be seen."""
    for source in sources:
        for path in paths(provider, target):
            clean = visible(at(source, path))
            if clean:
                return clean
    return None


def visible(value: object) -> str | None:
    """Returns a text on one line without what cannot be seen, or None."""
    if not isinstance(value, str):
        return None
    return UNSEEN.sub("", value[:URL]).strip()[:TEXT].strip() or None


def picture(provider: Provider, sources: list[dict[str, Any]]) -> str | None:
    """Returns the https URL of a picture, or None."""
    for source in sources:
        for path in paths(provider, "picture"):
            value = at(source, path)
            if isinstance(value, str) and _is_picture(value):
                return value
    return None


def _is_picture(url: str) -> bool:
    if len(url) > URL or not url.isascii() or not url.isprintable() or re.search(r'[\s<>"\\]', url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc


def locale(provider: Provider, sources: list[dict[str, Any]]) -> str | None:
    """Returns a language tag, or None."""
    value = text(provider, sources, "locale")
    return value if value and len(value) <= 35 and _LOCALE.fullmatch(value) else None


def address(value: object) -> str | None:
    """Returns a well-formed address, or None."""
    if not isinstance(value, str):
        return None
    try:
        return _EMAIL.validate_python(value)
    except ValidationError:
        return None
