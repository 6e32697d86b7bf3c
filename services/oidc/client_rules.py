"""What a client must look like before it is stored: every mistake at once, each naming its field.

`RULES` is the whole list. Its principle: what would be stored and could never work is refused when
it is said, not found out when somebody wants to sign in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from email_validator import EmailNotValidError, validate_email

from common import acr
from common.context import Context
from common.contracts.clients import ClientFields, CreateClient
from common.egress import Egress
from common.field_errors import FieldError, field_error
from common.problems import Invalid
from oidc import acr_values, claims, client_keys, jose, redirect_uris, scopes
from oidc.deps import Deps

PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
"""Members of a JWK that must never be sent to us."""

MOST_KEYS: Final = 20
"""Keys in the set of one client."""

Mistakes = Iterator[FieldError]


@dataclass(frozen=True)
class Around:
    """What rules look at besides the client: its application and this deployment."""

    acr_values: Collection[str]
    """The classes of sign-in that the application's pages can bring about."""
    resources: Collection[str]
    egress: Egress
    """Which addresses are called."""


async def around(deps: Deps, ctx: Context) -> Around:
    settings = (await deps.tenants.get(ctx)).settings
    return Around(
        acr_values=acr_values.offered(settings.auth_methods),
        resources=(await scopes.catalogue(deps, ctx)).resources,
        egress=deps.settings.egress,
    )


def with_defaults(new: CreateClient) -> CreateClient:
    """What the type of client, or its grants, imply where nothing else was said."""
    said = {name for name in new.model_fields_set if getattr(new, name) is not None}
    implied: dict[str, object] = {}
    if new.type in ("spa", "native"):
        implied = {"token_endpoint_auth_method": "none"}
    elif new.type == "service":
        implied = {"grant_types": ["client_credentials"], "scopes": []}
    if "grant_types" in said and "authorization_code" not in new.grant_types:
        implied["scopes"] = []
    return new.model_copy(update={k: v for k, v in implied.items() if k not in said})


def check(client: ClientFields, place: Around, before: ClientFields | None = None) -> None:
    """Raises Invalid. A change is not refused for what was wrong before: whoever switches a client
    off need not mend it first, and its application may have changed meanwhile."""
    known = list(_mistakes(before, place)) if before else []
    errors = [mistake for mistake in _mistakes(client, place) if mistake not in known]
    if errors:
        raise Invalid(errors=errors)


def _mistakes(client: ClientFields, place: Around) -> Mistakes:
    for rule in RULES:
        yield from rule(client, place)


def redirects_are_exact(client: ClientFields, _: Around) -> Mistakes:
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        for index, uri in enumerate(getattr(client, name)):
            code = redirect_uris.redirect_uri_mistake(uri, native=client.type == "native")
            if code:
                yield field_error(f"{name}.{index}", code)


def origins_are_what_browsers_send(client: ClientFields, _: Around) -> Mistakes:
    for index, origin in enumerate(client.allowed_origins):
        code = redirect_uris.origin_mistake(origin)
        if code:
            yield field_error(f"allowed_origins.{index}", code)


def addresses_are_absolute(client: ClientFields, _: Around) -> Mistakes:
    for name in ("backchannel_logout_uri", "frontchannel_logout_uri", "initiate_login_uri"):
        uri = getattr(client, name)
        if uri is not None and redirect_uris.redirect_uri_mistake(uri, native=False):
            yield field_error(name, "uri_not_plain_https")
    for name in ("logo_uri", "client_uri", "policy_uri", "tos_uri", "jwks_uri"):
        uri = getattr(client, name)
        if uri is not None and not redirect_uris.is_web(uri):
            yield field_error(name, "uri_not_http")


def we_can_call_it(client: ClientFields, place: Around) -> Mistakes:
    for name in ("backchannel_logout_uri", "jwks_uri"):
        uri = getattr(client, name)
        code = uri and redirect_uris.call_mistake(uri, place.egress)
        if code:
            yield field_error(name, code)


def resources_are_known(client: ClientFields, place: Around) -> Mistakes:
    """As they must be where a request names one (RFC 8707 section 2)."""
    for index, uri in enumerate(client.default_resources):
        mistake = redirect_uris.identifier_mistake(f"default_resources.{index}", uri)
        if mistake:
            yield mistake
        elif uri not in place.resources:
            yield field_error(f"default_resources.{index}", "resource_unknown")


def acr_values_can_be_given(client: ClientFields, place: Around) -> Mistakes:
    offered = ", ".join(place.acr_values)
    for index, name in enumerate(client.default_acr_values):
        if name not in place.acr_values:
            code = "acr_not_offered" if name in acr.SATISFIES else "acr_unknown"
            yield field_error(f"default_acr_values.{index}", code, offered=offered)


def grants_fit(client: ClientFields, _: Around) -> Mistakes:
    public = client.token_endpoint_auth_method == "none"
    if not client.grant_types:
        yield field_error("grant_types", "grant_required")
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        yield field_error("redirect_uris", "redirect_uri_required")
    if "refresh_token" in client.grant_types and "authorization_code" not in client.grant_types:
        yield field_error("grant_types", "refresh_token_needs_code")
    if client.type == "service" and "authorization_code" in client.grant_types:
        yield field_error("grant_types", "service_has_no_users")
    if public and "client_credentials" in client.grant_types:
        yield field_error("grant_types", "public_client_has_no_credentials")


def scopes_have_somebody(client: ClientFields, _: Around) -> Mistakes:
    """RFC 6749 section 4.4: client_credentials has no user to speak of."""
    if "authorization_code" in client.grant_types:
        return
    for index, name in enumerate(client.scopes):
        if name in scopes.NEEDS_USER:
            yield field_error(f"scopes.{index}", "scope_needs_user")


def public_clients_are_guarded(client: ClientFields, _: Around) -> Mistakes:
    if client.token_endpoint_auth_method == "none":
        if client.require_pkce is False:
            yield field_error("require_pkce", "public_client_needs_pkce")
    elif client.type == "spa":
        yield field_error("token_endpoint_auth_method", "spa_keeps_no_secret")


def lifetimes_fit(client: ClientFields, _: Around) -> Mistakes:
    if client.refresh_token_max_lifetime < client.refresh_token_lifetime:
        yield field_error("refresh_token_max_lifetime", "lifetime_too_short")


def pseudonyms_have_a_sector(client: ClientFields, _: Around) -> Mistakes:
    hosts = {redirect_uris.host(uri) for uri in client.redirect_uris}
    if client.subject_type == "pairwise" and len(hosts) > 1 and not client.sector_identifier:
        yield field_error("sector_identifier", "sector_identifier_required")


def the_algorithm_is_of_the_method(client: ClientFields, _: Around) -> Mistakes:
    field = "token_endpoint_auth_alg"
    method, alg = client.token_endpoint_auth_method, client.token_endpoint_auth_alg
    if method == "private_key_jwt":
        if alg is not None and alg not in jose.ALGORITHMS:
            yield field_error(field, "algorithm_refused", expected="RS256, PS256, ES256, EdDSA")
    elif method == "client_secret_jwt":
        if alg not in (None, "HS256"):
            yield field_error(field, "algorithm_refused", expected="HS256")
    elif alg is not None:
        yield field_error(field, "algorithm_without_assertion")


def keys_verify(client: ClientFields, _: Around) -> Mistakes:
    signs = client.token_endpoint_auth_method == "private_key_jwt"
    if client.jwks is not None and client.jwks_uri is not None:
        yield field_error("jwks_uri", "jwks_twice")
    if signs and client.jwks is None and client.jwks_uri is None:
        yield field_error("jwks", "jwks_required")
    if client.jwks is None:
        return
    mistake = _jwks_mistake(client.jwks)
    if mistake:
        yield mistake
    elif signs and not _verifies(client.jwks, client.token_endpoint_auth_alg):
        yield field_error("jwks", "jwks_without_usable_key")


def contacts_can_be_written_to(client: ClientFields, _: Around) -> Mistakes:
    for index, address in enumerate(client.contacts):
        try:
            validate_email(address, check_deliverability=False)
        except EmailNotValidError:
            yield field_error(f"contacts.{index}", "not_an_email_address")


def claims_have_a_source(client: ClientFields, _: Around) -> Mistakes:
    if len(client.claims_mapping) > claims.MOST:
        yield field_error("claims_mapping", "mapping_too_large", maximum=claims.MOST)
        return
    for name, source in client.claims_mapping.items():
        mistake = claims.mapping_mistake(name, source)
        if mistake:
            yield mistake


RULES: Final[tuple[Callable[[ClientFields, Around], Mistakes], ...]] = (
    redirects_are_exact,
    origins_are_what_browsers_send,
    addresses_are_absolute,
    we_can_call_it,
    grants_fit,
    scopes_have_somebody,
    resources_are_known,
    acr_values_can_be_given,
    public_clients_are_guarded,
    the_algorithm_is_of_the_method,
    keys_verify,
    lifetimes_fit,
    pseudonyms_have_a_sector,
    claims_have_a_source,
    contacts_can_be_written_to,
)


def _jwks_mistake(jwks: dict[str, Any]) -> FieldError | None:
    if len(json.dumps(jwks)) > client_keys.MAX_BYTES:
        return field_error("jwks", "jwks_too_large", maximum=client_keys.MAX_BYTES)
    listed = jwks.get("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_KEYS:
        return field_error("jwks", "jwks_malformed", maximum=MOST_KEYS)
    for key in listed:
        if not isinstance(key, dict):
            return field_error("jwks", "jwks_malformed", maximum=MOST_KEYS)
        if PRIVATE & key.keys():
            return field_error("jwks", "jwks_not_public")
    return None


def _verifies(jwks: dict[str, Any], alg: str | None) -> bool:
    algorithms = [alg] if alg else list(jose.ALGORITHMS)
    return any(client_keys.fitting(jwks, None, one) for one in algorithms)
