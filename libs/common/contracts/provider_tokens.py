"""The tokens of users at identity providers, for the backend of the application."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Id, Request
from common.contracts.fields import Timestamp
from common.problems import Conflict, Forbidden


class ProviderTokenMissing(Conflict):
    """No usable token is stored: the provider's `store_tokens` is off, the provider is switched off, or
    it no longer accepts the refresh token. The user signs in with the provider again."""

    code = "provider_token_missing"
    title = "No usable token is stored. The user must sign in with the provider again."


class OnlyForBackends(Forbidden):
    """Tokens of providers go to the application's backend, never to a user's session or token."""

    code = "only_for_backends"
    title = "Only a secret key, or a client that acts for itself, may read this."


class ProviderToken(Contract):
    """An access token of the provider (RFC 6749 section 5.1). The refresh token stays here."""

    access_token: str = Field(repr=False)
    token_type: str = "Bearer"  # noqa: S105 - the scheme of RFC 6750
    scopes: list[str] = []
    expires_at: Timestamp | None = Field(
        default=None, description="`null`: the provider does not say."
    )


class GetProviderToken(
    Request[ProviderToken], subject="identity.identity_link.token", needs="idps:tokens", within=15.0
):
    """Returns the access token of a connected account. A token that expires within a minute is
    refreshed first. Raises OnlyForBackends, NotHeld, IdentityNotFound, ProviderTokenMissing,
    ProviderAway, Busy."""

    user_id: Id
    link_id: Id
