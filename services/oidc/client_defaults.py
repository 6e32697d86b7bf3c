"""Defaults that follow from a client's type or grants."""

from __future__ import annotations

from typing import Final

from common.contracts.clients import CreateClient
from common.grant_types import sign_users_in

PROFILE: Final[dict[str, object]] = {
    "token_endpoint_auth_method": "private_key_jwt",
    "id_token_alg": "ES256",
    "rotate_refresh_tokens": False,
}
"""Settings that follow from a security profile."""


def with_defaults(request: CreateClient) -> CreateClient:
    """Fills in fields that are missing and that follow from the client's type or grants."""
    present = {name for name in request.model_fields_set if getattr(request, name) is not None}
    implied: dict[str, object] = {}
    if request.type in ("spa", "native"):
        implied = {"token_endpoint_auth_method": "none"}
    elif request.type == "service":
        implied = {"grant_types": ["client_credentials"], "scopes": []}
    if request.security_profile is not None:
        implied |= PROFILE
    if "grant_types" in present and not sign_users_in(request.grant_types):
        implied["scopes"] = []
    return request.model_copy(update={k: v for k, v in implied.items() if k not in present})
