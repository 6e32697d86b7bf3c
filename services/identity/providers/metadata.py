"""The endpoints of a provider: from its row, else from its discovery document."""

from __future__ import annotations

from dataclasses import dataclass

from common.context import Context
from identity.deps import Deps
from identity.queries.identity_providers import Provider


@dataclass(frozen=True, kw_only=True)
class ProviderMetadata:
    """The endpoints of a provider. `iss_promised` says that every authorization response names the
    issuer (RFC 9207 section 3)."""

    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None = None
    jwks_uri: str | None = None
    iss_promised: bool = False


async def provider_metadata(deps: Deps, ctx: Context, provider: Provider) -> ProviderMetadata:
    """Returns the endpoints. A document is fetched if none is stored or the stored one is old. Raises
    ProviderFailed."""
    raise NotImplementedError
