"""The endpoints of a provider: from its row, else from its discovery document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from common.context import Context
from common.egress import Egress
from identity.deps import Deps
from identity.providers import calls, documents, issuers
from identity.providers.documents import DocumentSource
from identity.providers.failures import ProviderFailed
from identity.queries.identity_providers import Provider

WELL_KNOWN: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0 section 4."""
ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
ISS_PROMISED: Final = "authorization_response_iss_parameter_supported"
TENANT: Final = "{tenant}"
"""Stands in `discovery_url` for the tenant of a row that accepts one tenant. A client that Microsoft
registered for one tenant is served at that tenant's endpoints alone."""
SHARED_TENANT: Final = "common"
LONGEST: Final = 2000
"""Characters of a URL."""


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
    document: dict[str, Any] = {}
    if needs_discovery(provider):
        source = discovery_source(deps, provider)
        document = await documents.document(deps, ctx, provider, source)
    return from_document(provider, document)


def needs_discovery(provider: Provider) -> bool:
    """Returns whether the row lacks an endpoint that its type needs."""
    required = (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri)
    return provider.type == "oidc" and not all(required)


def discovery_source(deps: Deps, provider: Provider) -> DocumentSource:
    """Returns where the discovery document is, and how it is checked."""
    url = calls.options_of(provider).discovery_url
    url = url or (provider.issuer or "").rstrip("/") + WELL_KNOWN
    url = url.replace(TENANT, issuers.only_tenant(provider) or SHARED_TENANT)
    read = partial(_read, provider, egress=deps.http.egress)
    return DocumentSource("discovery", url, read)


def from_document(provider: Provider, document: dict[str, Any]) -> ProviderMetadata:
    """Returns the endpoints of the row, and those of the document where the row has none."""
    metadata = ProviderMetadata(
        authorization_endpoint=document.get("authorization_endpoint", ""),
        token_endpoint=document.get("token_endpoint", ""),
        userinfo_endpoint=document.get("userinfo_endpoint"),
        jwks_uri=document.get("jwks_uri"),
        iss_promised=document.get(ISS_PROMISED) is True,
    )
    own = {name: getattr(provider, name) for name in ENDPOINTS if getattr(provider, name)}
    metadata = replace(metadata, **own)
    if not metadata.authorization_endpoint or not metadata.token_endpoint:
        raise ProviderFailed("discovery", "the authorization or token endpoint is unknown")
    return metadata


def _read(provider: Provider, value: Any, *, egress: Egress) -> dict[str, Any]:
    """Returns what is stored of a discovery document. Raises ProviderFailed.

    The document must name the issuer of this row (Discovery 1.0 section 4.3). It is kept with the row,
    and no other row ever reads it.
    """
    if not isinstance(value, dict):
        raise ProviderFailed("discovery", "the discovery document is not a JSON object")
    if not _names_issuer(provider, value.get("issuer")):
        named = str(value.get("issuer"))[:100]
        raise ProviderFailed("discovery", f"the discovery document names another issuer: {named}")
    kept: dict[str, Any] = {}
    for name in ENDPOINTS:
        url = value.get(name)
        if url is None:
            continue
        if not is_endpoint(url, egress):
            raise ProviderFailed("discovery", f"{name} is not a plain https URL")
        kept[name] = url
    missing = [name for name in ENDPOINTS if name not in kept and name != "userinfo_endpoint"]
    missing = [name for name in missing if not getattr(provider, name)]
    if missing:
        raise ProviderFailed("discovery", f"the discovery document lacks {', '.join(missing)}")
    return kept | {ISS_PROMISED: value.get(ISS_PROMISED) is True}


def _names_issuer(provider: Provider, iss: object) -> bool:
    """Returns whether a document names the row's issuer, or its template filled with its one
    tenant."""
    tenant = issuers.only_tenant(provider)
    if tenant is not None and issuers.is_template(provider) and isinstance(iss, str):
        return iss == provider.issuer or issuers.is_issuer(provider, iss, tenant=tenant)
    return iss == provider.issuer


def is_endpoint(url: object, egress: Egress) -> bool:
    """Returns whether this is an absolute https URL without credentials and fragment. Plain http is
    accepted where it may be spoken."""
    if not isinstance(url, str) or not 0 < len(url) <= LONGEST or not url.isascii():
        return False
    if not url.isprintable() or any(char in url for char in ' <>"\\#'):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or port == 0:
        return False
    plain = parts.scheme == "http" and egress.permits_http(parts.hostname, port)
    return plain or parts.scheme == "https"
