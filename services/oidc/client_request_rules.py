"""Rules for how a client sends its authorization requests (RFC 9126, RFC 9101)."""

from __future__ import annotations

from collections.abc import Iterator

from common.contracts.app_settings import AppSettings
from common.contracts.clients import ClientFields
from common.field_errors import FieldError, field_error
from oidc import client_keys


def mistakes(client: ClientFields, settings: AppSettings) -> Iterator[FieldError]:
    """Refuses demands that no request of the client could meet."""
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
