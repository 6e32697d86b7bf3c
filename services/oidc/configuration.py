"""The discovery document (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).

Every value is that of this application: its own scopes, and its own sign-in methods.
"""

from __future__ import annotations

from typing import Any, Final

from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.discovery import Configuration, GetConfiguration
from oidc import (
    acr_values,
    dpop_proofs,
    json_web_keys,
    oauth_switches,
    scope_catalogue,
    signed_responses,
    token_types,
)
from oidc.checks.prompts_are_consistent import PROMPTS
from oidc.checks.response_mode_is_known import MODES
from oidc.claims import STANDARD
from oidc.deps import Deps
from oidc.grants import GRANTS

SIGNING_ALGS: Final = list(json_web_keys.ALGORITHMS)
AUTH_METHODS: Final = [
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "client_secret_jwt",
    "none",
]
AUTH_ALGS: Final = [*SIGNING_ALGS, "HS256"]
ENDPOINTS: Final = {
    "authorization_endpoint": "/oauth2/authorize",
    "token_endpoint": "/oauth2/token",
    "userinfo_endpoint": "/oauth2/userinfo",
    "jwks_uri": "/oauth2/jwks.json",
    "revocation_endpoint": "/oauth2/revoke",
    "introspection_endpoint": "/oauth2/introspect",
    "end_session_endpoint": "/oauth2/logout",
}
CAPABILITIES: Final = {
    "response_types_supported": ["code"],
    "response_modes_supported": list(MODES),
    "subject_types_supported": ["public", "pairwise"],
    "id_token_signing_alg_values_supported": SIGNING_ALGS,
    "userinfo_signing_alg_values_supported": SIGNING_ALGS,
    "token_endpoint_auth_methods_supported": AUTH_METHODS,
    "token_endpoint_auth_signing_alg_values_supported": AUTH_ALGS,
    "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
    "revocation_endpoint_auth_signing_alg_values_supported": AUTH_ALGS,
    "introspection_endpoint_auth_methods_supported": [
        method for method in AUTH_METHODS if method != "none"
    ],
    "introspection_endpoint_auth_signing_alg_values_supported": AUTH_ALGS,
    "display_values_supported": ["page"],
    "claim_types_supported": ["normal"],
    "claims_supported": [
        *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"),
        *("act", "guest"),
        *sorted(STANDARD),
    ],
    "claims_parameter_supported": True,
    "request_parameter_supported": False,
    "request_uri_parameter_supported": False,
    "require_request_uri_registration": False,
    "prompt_values_supported": sorted(PROMPTS),
    "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": True,
    "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
    "frontchannel_logout_supported": True,
    "frontchannel_logout_session_supported": True,
    "ui_locales_supported": ["en", "de"],
    "dpop_signing_alg_values_supported": list(dpop_proofs.ALGORITHMS),
}
"""The same for all applications."""


def _grant_types(ctx: Context, settings: AppSettings) -> dict[str, list[str]]:
    """Returns the grants that this application has switched on."""
    off = oauth_switches.switched_off(ctx.app_id, settings)
    values = {"grant_types_supported": [name for name in GRANTS if name not in off]}
    if oauth_switches.TOKEN_EXCHANGE not in off:
        values["identity_chaining_requested_token_types_supported"] = [token_types.ID_JAG]
    return values


async def get(deps: Deps, ctx: Context, _: GetConfiguration) -> Configuration:
    """Returns the application's discovery document."""
    catalogue = await scope_catalogue.get_catalogue(deps, ctx)
    settings = (await deps.tenants.get(ctx)).settings
    fields: dict[str, Any] = {
        **{name: f"{ctx.origin}{path}" for name, path in ENDPOINTS.items()},
        **CAPABILITIES,
        **_grant_types(ctx, settings),
        "scopes_supported": [*scope_catalogue.CLAIMS, *catalogue.scopes],
        "acr_values_supported": acr_values.supported(settings),
        **_switched_on(ctx, settings),
    }
    return Configuration.model_validate({"issuer": ctx.origin, **fields})


def _switched_on(ctx: Context, settings: AppSettings) -> dict[str, Any]:
    """Returns what only applications with a setting have."""
    fields: dict[str, Any] = {}
    if settings.device_authorization:  # RFC 8628 section 4
        fields["device_authorization_endpoint"] = f"{ctx.origin}/oauth2/device_authorization"
    if settings.client_id_documents != "off":
        fields["client_id_metadata_document_supported"] = True
    if settings.client_registration != "off":  # RFC 7591 section 3
        fields["registration_endpoint"] = f"{ctx.origin}/oauth2/register"
    if settings.pushed_authorization_requests:  # RFC 9126 section 5
        fields["pushed_authorization_request_endpoint"] = f"{ctx.origin}/oauth2/par"
        fields["require_pushed_authorization_requests"] = False
    if settings.request_objects:  # RFC 9101 section 10.5
        fields["request_parameter_supported"] = True
        fields["request_object_signing_alg_values_supported"] = SIGNING_ALGS
        fields["require_signed_request_object"] = False
    if settings.signed_authorization_responses:  # JARM section 4
        fields["response_modes_supported"] = [*MODES, *signed_responses.MODES]
        fields["authorization_signing_alg_values_supported"] = SIGNING_ALGS
    return fields
