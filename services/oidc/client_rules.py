"""Rules that a client has to satisfy before it is stored. `RULES` lists them all.

A registration that could never work is refused, so that nobody finds out at sign-in. The error
names every mistake with its field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from email_validator import EmailNotValidError, validate_email

from common import acr
from common.context import Context
from common.contracts.clients import ClientFields
from common.field_errors import field_error
from common.grant_types import DEVICE_CODE, sign_users_in
from common.problems import Invalid
from oidc import (
    acr_values,
    claims,
    client_keys,
    client_request_rules,
    grant_policy,
    json_web_keys,
    redirect_uris,
    scope_catalogue,
)
from oidc.client_environment import ClientEnvironment, Mistakes
from oidc.deps import Deps


async def environment(deps: Deps, ctx: Context) -> ClientEnvironment:
    """Returns what the rules compare this application's clients with."""
    settings = (await deps.tenants.get(ctx)).settings
    return ClientEnvironment(
        acr_values=acr_values.supported(settings),
        resources=(await scope_catalogue.get_catalogue(deps, ctx)).resources,
        egress=deps.settings.egress,
        settings=settings,
    )


def check(
    client: ClientFields, environment: ClientEnvironment, before: ClientFields | None = None
) -> None:
    """Raises Invalid if the client breaks a rule that it did not break before.

    A client may break a rule already, because its application has changed meanwhile. It can then
    still be disabled without correcting it first.
    """
    earlier = list(mistakes(before, environment)) if before else []
    errors = [mistake for mistake in mistakes(client, environment) if mistake not in earlier]
    if errors:
        raise Invalid(errors=errors)


def mistakes(client: ClientFields, environment: ClientEnvironment) -> Mistakes:
    """Yields every mistake of a client, by the rules in their order."""
    for rule in RULES:
        yield from rule(client, environment)


def redirects_are_exact(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses redirect URIs that are not exact (RFC 9700 section 2.1)."""
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        for index, uri in enumerate(getattr(client, name)):
            code = redirect_uris.redirect_uri_mistake(uri, native=client.type == "native")
            if code:
                yield field_error(f"{name}.{index}", code)


def origins_are_exact(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses origins that browsers never send (RFC 6454 section 6.2)."""
    for index, origin in enumerate(client.allowed_origins):
        code = redirect_uris.origin_mistake(origin)
        if code:
            yield field_error(f"allowed_origins.{index}", code)


def urls_are_absolute(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses relative URLs."""
    for name in ("backchannel_logout_uri", "frontchannel_logout_uri", "initiate_login_uri"):
        uri = getattr(client, name)
        if uri is not None and redirect_uris.redirect_uri_mistake(uri, native=False):
            yield field_error(name, "uri_not_plain_https")
    for name in ("logo_uri", "client_uri", "policy_uri", "tos_uri", "jwks_uri"):
        uri = getattr(client, name)
        if uri is not None and not redirect_uris.is_web(uri):
            yield field_error(name, "uri_not_http")


def called_urls_are_reachable(client: ClientFields, environment: ClientEnvironment) -> Mistakes:
    """Refuses URLs that this deployment may not call."""
    for name in ("backchannel_logout_uri", "jwks_uri"):
        uri = getattr(client, name)
        code = uri and redirect_uris.call_mistake(uri, environment.egress)
        if code:
            yield field_error(name, code)


def resources_are_known(client: ClientFields, environment: ClientEnvironment) -> Mistakes:
    """Refuses default resources that a request could not name either (RFC 8707 section 2)."""
    for index, uri in enumerate(client.default_resources):
        mistake = redirect_uris.identifier_mistake(f"default_resources.{index}", uri)
        if mistake:
            yield mistake
        elif uri not in environment.resources:
            yield field_error(f"default_resources.{index}", "resource_unknown")


def acr_values_are_supported(client: ClientFields, environment: ClientEnvironment) -> Mistakes:
    """Refuses ACR values that no sign-in of the application gives."""
    names = ", ".join(environment.acr_values)
    for index, name in enumerate(client.default_acr_values):
        if name not in environment.acr_values:
            code = "acr_not_offered" if name in acr.CLASSES else "acr_unknown"
            yield field_error(f"default_acr_values.{index}", code, offered=names)


def grants_fit(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses grant types that do not fit the client or each other."""
    public = client.token_endpoint_auth_method == "none"
    if not client.grant_types:
        yield field_error("grant_types", "grant_required")
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        yield field_error("redirect_uris", "redirect_uri_required")
    if "refresh_token" in client.grant_types and not sign_users_in(client.grant_types):
        yield field_error("grant_types", "refresh_token_needs_code")
    if client.type == "service" and sign_users_in(client.grant_types):
        yield field_error("grant_types", "service_has_no_users")
    if client.type == "spa" and DEVICE_CODE in client.grant_types:
        yield field_error("grant_types", "browser_needs_no_device_code")
    if public and not grant_policy.CONFIDENTIAL.isdisjoint(client.grant_types):
        yield field_error("grant_types", "public_client_has_no_credentials")


def user_scopes_have_a_user(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses scopes that need a user without a grant that has one (RFC 6749 section 4.4)."""
    if sign_users_in(client.grant_types):
        return
    for index, name in enumerate(client.scopes):
        if name in scope_catalogue.NEEDS_USER:
            yield field_error(f"scopes.{index}", "scope_needs_user")


def public_clients_use_pkce(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses public clients without PKCE, and browser code with a secret."""
    if client.token_endpoint_auth_method == "none":
        if client.require_pkce is False:
            yield field_error("require_pkce", "public_client_needs_pkce")
    elif client.type == "spa":
        yield field_error("token_endpoint_auth_method", "spa_keeps_no_secret")


def lifetimes_fit(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses a lifetime of refresh tokens beyond their longest one."""
    if client.refresh_token_max_lifetime < client.refresh_token_lifetime:
        yield field_error("refresh_token_max_lifetime", "lifetime_too_short")


def pairwise_subjects_have_a_sector(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses an unclear sector (OpenID Connect Core section 8.1)."""
    hosts = {redirect_uris.host(uri) for uri in client.redirect_uris}
    if client.subject_type == "pairwise" and len(hosts) > 1 and not client.sector_identifier:
        yield field_error("sector_identifier", "sector_identifier_required")


def algorithm_fits_the_method(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses an algorithm that the authentication method cannot use."""
    field = "token_endpoint_auth_alg"
    method, alg = client.token_endpoint_auth_method, client.token_endpoint_auth_alg
    if method == "private_key_jwt":
        if alg is not None and alg not in json_web_keys.ALGORITHMS:
            yield field_error(field, "algorithm_refused", expected="RS256, PS256, ES256, EdDSA")
    elif method == "client_secret_jwt":
        if alg not in (None, "HS256"):
            yield field_error(field, "algorithm_refused", expected="HS256")
    elif alg is not None:
        yield field_error(field, "algorithm_without_assertion")


def keys_can_verify(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses keys that cannot verify the client's assertions."""
    uses_keys = client.token_endpoint_auth_method == "private_key_jwt"
    if client.jwks is not None and client.jwks_uri is not None:
        yield field_error("jwks_uri", "jwks_twice")
    if uses_keys and client.jwks is None and client.jwks_uri is None:
        yield field_error("jwks", "jwks_required")
    if client.jwks is None:
        return
    mistake = client_keys.jwks_mistake(client.jwks)
    if mistake:
        yield mistake
    elif uses_keys and not client_keys.can_verify(client.jwks, client.token_endpoint_auth_alg):
        yield field_error("jwks", "jwks_without_usable_key")


def contacts_are_mail_addresses(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses contacts that are not e-mail addresses."""
    for index, address in enumerate(client.contacts):
        try:
            validate_email(address, check_deliverability=False)
        except EmailNotValidError:
            yield field_error(f"contacts.{index}", "not_an_email_address")


def claims_mapping_is_valid(client: ClientFields, _: ClientEnvironment) -> Mistakes:
    """Refuses mappings of reserved claims, and paths that do not exist."""
    if len(client.claims_mapping) > claims.MAX_MAPPINGS:
        yield field_error("claims_mapping", "mapping_too_large", maximum=claims.MAX_MAPPINGS)
        return
    for name, source in client.claims_mapping.items():
        mistake = claims.mapping_mistake(name, source)
        if mistake:
            yield mistake


RULES: Final[tuple[Callable[[ClientFields, ClientEnvironment], Mistakes], ...]] = (
    redirects_are_exact,
    origins_are_exact,
    urls_are_absolute,
    called_urls_are_reachable,
    grants_fit,
    user_scopes_have_a_user,
    resources_are_known,
    acr_values_are_supported,
    public_clients_use_pkce,
    algorithm_fits_the_method,
    keys_can_verify,
    lifetimes_fit,
    pairwise_subjects_have_a_sector,
    claims_mapping_is_valid,
    contacts_are_mail_addresses,
    client_request_rules.requests_can_be_sent,
    client_request_rules.security_profile_is_met,
)
