"""The demands of the FAPI 2.0 security profile on a client's settings (FAPI 2.0 Security Profile, Final).

The oidc service refuses settings that contradict them, and the Dashboard shows which are met. The demands on
each request are in `oidc.security_profile`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.contracts.app_settings import AppSettings
from common.contracts.clients import ClientFields

FAPI2: Final = "fapi2"
ALGORITHMS: Final = ("PS256", "ES256", "EdDSA")
"""Algorithms of every JWT (section 5.4.1)."""
KEY_METHODS: Final = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
"""Methods of client authentication (section 5.3.2). Those by certificates (RFC 8705) do not exist here yet."""
ALG_FIELDS: Final = (
    "token_endpoint_auth_alg",
    "id_token_alg",
    "access_token_alg",
    "userinfo_alg",
    "request_object_signing_alg",
    "authorization_signed_response_alg",
)
LOOPBACK: Final = re.compile(r"http://(127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/.*)?")


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand of the profile. `unmet` returns the fields that contradict it, each with the code of its
    field error."""

    name: str
    unmet: Callable[[ClientFields, AppSettings], list[tuple[str, str]]]


def _authentication(client: ClientFields, _: AppSettings) -> list[tuple[str, str]]:
    """Section 5.3.2: mTLS or private_key_jwt, so no public client."""
    if client.token_endpoint_auth_method in KEY_METHODS:
        return []
    return [("token_endpoint_auth_method", "fapi_needs_key_authentication")]


def _keys(client: ClientFields, _: AppSettings) -> list[tuple[str, str]]:
    """A client that signs has registered keys."""
    method, has_keys = client.token_endpoint_auth_method, client.jwks or client.jwks_uri
    return [("jwks", "jwks_required")] if method == "private_key_jwt" and not has_keys else []


def _algorithms(client: ClientFields, _: AppSettings) -> list[tuple[str, str]]:
    """Section 5.4.1: PS256, ES256 or EdDSA."""
    chosen = {name: getattr(client, name) for name in ALG_FIELDS}
    return [
        (name, "fapi_algorithm_refused")
        for name, alg in chosen.items()
        if alg is not None and alg not in ALGORITHMS
    ]


def _pushed_requests(client: ClientFields, settings: AppSettings) -> list[tuple[str, str]]:
    """Section 5.3.2: pushed authorization requests only."""
    if "authorization_code" in client.grant_types and not settings.pushed_authorization_requests:
        return [("security_profile", "fapi_needs_pushed_requests")]
    return []


def _redirects(client: ClientFields, _: AppSettings) -> list[tuple[str, str]]:
    """Section 5.3.2: https, but for the loopback address of a native app."""
    return [
        (f"redirect_uris.{index}", "fapi_needs_https")
        for index, uri in enumerate(client.redirect_uris)
        if not uri.startswith("https://")
        and not (client.type == "native" and LOOPBACK.fullmatch(uri))
    ]


def _pkce(client: ClientFields, _: AppSettings) -> list[tuple[str, str]]:
    """Section 5.3.2: PKCE with S256."""
    return [("require_pkce", "fapi_needs_pkce")] if client.require_pkce is False else []


def _refresh_tokens(client: ClientFields, _: AppSettings) -> list[tuple[str, str]]:
    """Section 5.3.2: refresh tokens do not rotate."""
    if client.rotate_refresh_tokens and "refresh_token" in client.grant_types:
        return [("rotate_refresh_tokens", "fapi_does_not_rotate")]
    return []


DEMANDS: Final = (
    Demand("authentication", _authentication),
    Demand("keys", _keys),
    Demand("algorithms", _algorithms),
    Demand("pushed_requests", _pushed_requests),
    Demand("redirects", _redirects),
    Demand("pkce", _pkce),
    Demand("refresh_tokens", _refresh_tokens),
)
"""The demands on a client's settings."""
