"""What a client must look like before it is stored: every mistake at once, each naming its field."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from common.contracts.clients import ClientFields, CreateClient
from common.problems import Invalid
from oidc import claims, jose

PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
"""Members of a JWK that must never be sent to us."""
ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
OWN_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
"""RFC 8252 section 7.1: a private-use scheme is a reversed domain name, so it has a dot."""


def with_defaults(new: CreateClient) -> CreateClient:
    """What the type of client implies where nothing else was said."""
    said = new.model_fields_set
    implied: dict[str, object] = {}
    if new.type in ("spa", "native"):
        implied = {"token_endpoint_auth_method": "none"}
    elif new.type == "service":
        implied = {"grant_types": ["client_credentials"], "scopes": []}
    return new.model_copy(update={k: v for k, v in implied.items() if k not in said})


def check(client: ClientFields) -> None:
    """Raises Invalid."""
    errors = [{"field": field, "message": message} for field, message in _wrong(client)]
    if errors:
        raise Invalid(errors=errors)


def _wrong(client: ClientFields) -> Iterator[tuple[str, str]]:
    for index, uri in enumerate(client.redirect_uris):
        message = redirect_uri_mistake(uri, native=client.type == "native")
        if message:
            yield f"redirect_uris.{index}", message
    for index, uri in enumerate(client.post_logout_redirect_uris):
        message = redirect_uri_mistake(uri, native=client.type == "native")
        if message:
            yield f"post_logout_redirect_uris.{index}", message
    for index, origin in enumerate(client.allowed_origins):
        if not ORIGIN.fullmatch(origin):
            yield f"allowed_origins.{index}", "is not an origin like https://app.example.com"
    for name in ("backchannel_logout_uri", "frontchannel_logout_uri", "initiate_login_uri"):
        uri = getattr(client, name)
        if uri is not None and redirect_uri_mistake(uri, native=False):
            yield name, "is not an absolute https address without fragment"
    for name in ("logo_uri", "client_uri", "policy_uri", "tos_uri", "jwks_uri"):
        uri = getattr(client, name)
        if uri is not None and not _is_web(uri):
            yield name, "is not an absolute http address"
    for index, uri in enumerate(client.default_resources):
        if not is_uri(uri):
            yield f"default_resources.{index}", "is not an absolute URI without fragment"
    yield from _wrong_together(client)
    yield from _wrong_keys(client)
    for name, source in client.claims_mapping.items():
        message = claims.mapping_mistake(name, source)
        if message:
            yield f"claims_mapping.{name}"[:100], message


def _wrong_together(client: ClientFields) -> Iterator[tuple[str, str]]:
    method = client.token_endpoint_auth_method
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        yield "redirect_uris", "at least one is needed for authorization_code"
    if "refresh_token" in client.grant_types and "authorization_code" not in client.grant_types:
        yield "grant_types", "refresh_token needs authorization_code"
    if method == "none":
        if not client.require_pkce:
            yield "require_pkce", "a public client always needs PKCE"
        if "client_credentials" in client.grant_types:
            yield "grant_types", "a public client has no credentials"
    elif client.type == "spa":
        yield "token_endpoint_auth_method", "code in a browser cannot keep a secret: use none"
    if client.refresh_token_max_lifetime < client.refresh_token_lifetime:
        yield "refresh_token_max_lifetime", "is less than refresh_token_lifetime"
    hosts = {_parts(uri).hostname for uri in client.redirect_uris}
    if client.subject_type == "pairwise" and len(hosts) > 1 and not client.sector_identifier:
        yield "sector_identifier", "is needed where redirect URIs have several hosts"


def _wrong_keys(client: ClientFields) -> Iterator[tuple[str, str]]:
    method, alg = client.token_endpoint_auth_method, client.token_endpoint_auth_alg
    if method == "private_key_jwt":
        if client.jwks is None and client.jwks_uri is None:
            yield "jwks", "private_key_jwt needs jwks or jwks_uri"
        if alg is not None and alg not in jose.ALGORITHMS:
            yield "token_endpoint_auth_alg", "is not one of RS256, PS256, ES256, EdDSA"
    elif method == "client_secret_jwt":
        if alg not in (None, "HS256"):
            yield "token_endpoint_auth_alg", "is not HS256"
    elif alg is not None:
        yield "token_endpoint_auth_alg", "has a meaning only for assertions"
    if client.jwks is not None:
        message = _jwks_mistake(client.jwks)
        if message:
            yield "jwks", message


def _jwks_mistake(jwks: dict[str, Any]) -> str | None:
    listed = jwks.get("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= 20:
        return "is not a JWK Set of 1 to 20 keys"
    for key in listed:
        if not isinstance(key, dict):
            return "is not a JWK Set"
        if PRIVATE & key.keys():
            return "holds a private or symmetric key: send public keys only"
    return None


def redirect_uri_mistake(uri: str, *, native: bool) -> str | None:
    """RFC 6749 section 3.1.2, RFC 8252 section 7, RFC 9700 section 2.1."""
    parts = _parts(uri)
    if (
        not uri.isascii()
        or not uri.isprintable()
        or any(c.isspace() or c in '"<>\\^`{|}*' for c in uri)
    ):
        return "holds a character that an exact address does not"
    if not parts.scheme:
        return "is not an absolute address"
    if "#" in uri:
        return "must not have a fragment"
    if parts.scheme == "https":
        return None if parts.hostname and "@" not in parts.netloc else "has no plain host"
    if parts.scheme == "http":
        if parts.hostname and is_local(parts.hostname) and "@" not in parts.netloc:
            return None
        return "http is for this machine only (localhost, 127.0.0.1, [::1]): use https"
    if native and OWN_SCHEME.fullmatch(parts.scheme):
        return None
    return "needs https; a native client may use a scheme like com.example.app"


def is_local(host: str) -> bool:
    """Loopback by name or number; browsers send nothing of it over a network."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_uri(uri: str) -> bool:
    """RFC 8707 section 2: absolute, without fragment."""
    return bool(_parts(uri).scheme) and "#" not in uri and uri.isprintable()


def _is_web(uri: str) -> bool:
    parts = _parts(uri)
    printable = uri.isprintable() and not any(c.isspace() for c in uri)
    return parts.scheme in ("https", "http") and bool(parts.hostname) and printable


def _parts(uri: str) -> SplitResult:
    """Empty where it cannot be read: an address in brackets that is none, a port beyond all."""
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - read to see whether it can be
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
