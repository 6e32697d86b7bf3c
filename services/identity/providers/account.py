"""A user's account at an identity provider, as the provider describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ProviderTokens:
    """The tokens of a token answer (RFC 6749 section 5.1)."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProviderAccount:
    """A verified account at a provider. (`iss`, `subject`) identifies it; nothing else does.

    `iss` is one text for each provider row, and empty if the row has no issuer. `email_verified` follows
    the rule of the provider's row. Texts have a bounded length and no control characters; an address is
    well-formed.
    """

    iss: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    username: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    locale: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    auth_time: datetime | None = None
    claims: dict[str, Any] = field(default_factory=dict, repr=False)
    """All claims of the provider. Those of the ID token win over those of UserInfo."""
    tokens: ProviderTokens = field(repr=False)
