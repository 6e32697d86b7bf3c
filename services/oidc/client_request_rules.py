"""Rules for how a client sends its requests: pushed, signed, or by a security profile."""

from __future__ import annotations

from common import security_profiles
from common.contracts.clients import ClientFields
from common.field_errors import field_error
from oidc import client_keys
from oidc.client_environment import ClientEnvironment, Mistakes


def requests_can_be_sent(client: ClientFields, environment: ClientEnvironment) -> Mistakes:
    """Refuses demands on authorization requests that none could meet (RFC 9126, RFC 9101)."""
    settings = environment.settings
    if client.require_pushed_authorization_requests and not settings.pushed_authorization_requests:
        field = "require_pushed_authorization_requests"
        yield field_error(field, "setting_required", setting="pushed_authorization_requests")
    if client.require_signed_request_object:
        field = "require_signed_request_object"
        if not settings.request_objects:
            yield field_error(field, "setting_required", setting="request_objects")
        if client.jwks is None and client.jwks_uri is None:
            yield field_error(field, "signed_requests_need_keys")
    alg = client.request_object_signing_alg
    if alg is not None and client.jwks and not client_keys.can_verify(client.jwks, alg):
        yield field_error("request_object_signing_alg", "algorithm_without_key")


def security_profile_is_met(client: ClientFields, environment: ClientEnvironment) -> Mistakes:
    """Refuses what contradicts the client's security profile (FAPI 2.0 section 5.3.2)."""
    if client.security_profile is None:
        return
    for demand in security_profiles.DEMANDS:
        for field, code in demand.unmet(client, environment.settings):
            yield field_error(field, code)
