"""The checker of authorization URLs: it runs the steps of the authorization endpoint that concern the
URL, and says what each of them finds. Those steps only read, so a check has no effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from common.context import Context
from common.contracts.authorization_check import (
    AuthorizationRule,
    AuthorizationRuleResult,
    AuthorizationUrlReport,
    CheckAuthorizationUrl,
)
from common.contracts.oauth_errors import OAuthError
from common.contracts.tenants import Tenant
from common.form_parameters import parse_parameters
from oidc import authorize, check_hints
from oidc.authorization_request import AuthorizationRequest
from oidc.authorize import Step
from oidc.checks.claims_are_well_formed import claims_are_well_formed
from oidc.checks.client_is_known import client_is_known
from oidc.checks.contexts_are_possible import contexts_are_possible
from oidc.checks.form_is_as_required import form_is_as_required
from oidc.checks.hint_is_ours import hint_is_ours
from oidc.checks.no_request_object import no_request_object
from oidc.checks.parameters_are_single import parameters_are_single
from oidc.checks.pkce_is_s256 import pkce_is_s256
from oidc.checks.prompts_are_consistent import prompts_are_consistent
from oidc.checks.pushed_request_is_waiting import pushed_request_is_waiting
from oidc.checks.redirect_uri_is_registered import redirect_uri_is_registered
from oidc.checks.resources_are_known import resources_are_known
from oidc.checks.response_mode_is_known import response_mode_is_known
from oidc.checks.response_type_is_code import response_type_is_code
from oidc.checks.scopes_are_allowed import scopes_are_allowed
from oidc.checks.signed_request_is_proven import signed_request_is_proven
from oidc.client_cache import find_registered
from oidc.deps import Deps

PATH: Final = "/oauth2/authorize"
STEPS: Final = authorize.CLIENT_STEPS + authorize.PROTOCOL_STEPS
"""The steps that concern the URL, in the endpoint's order. The others concern the user."""
RULES: Final[dict[Step, AuthorizationRule]] = {
    client_is_known: "client",
    redirect_uri_is_registered: "redirect_uri",
    response_mode_is_known: "response_mode",
    parameters_are_single: "repeated_parameters",
    no_request_object: "request_object",
    response_type_is_code: "response_type",
    pkce_is_s256: "pkce",
    scopes_are_allowed: "scope",
    resources_are_known: "resource",
    prompts_are_consistent: "prompt",
    claims_are_well_formed: "claims",
    contexts_are_possible: "acr_values",
    hint_is_ours: "id_token_hint",
    pushed_request_is_waiting: "pushed_request",
    signed_request_is_proven: "signed_request",
    form_is_as_required: "required_form",
}
ORDER: Final[tuple[AuthorizationRule, ...]] = (
    "address",
    "parameters",
    *(RULES[step] for step in STEPS),
)
PASSED: Final[dict[AuthorizationRule, str]] = {
    "address": "The URL leads to the authorization endpoint of this application.",
    "parameters": "The parameters can be read.",
    "client": "The client exists and is enabled.",
    "redirect_uri": "The redirect URI is registered.",
    "response_mode": "The response mode is supported.",
    "repeated_parameters": "No parameter is repeated.",
    "request_object": "There is no request object that we do not support.",
    "response_type": "The response type is code, and the client may use it.",
    "pkce": "The proof of the code (PKCE) is as the client needs it.",
    "scope": "Every scope is allowed for this client.",
    "resource": "Every resource is known.",
    "prompt": "The parameters prompt and max_age are valid.",
    "claims": "The parameter claims is valid, or missing.",
    "acr_values": "The requested class of sign-in is possible.",
    "id_token_hint": "The ID token hint is valid, or missing.",
    "pushed_request": "The request was pushed and still waits, or was not pushed.",
    "signed_request": "The request object is signed by the client, or missing.",
    "required_form": "The request is pushed and signed as the client needs it.",
}
NOT_REACHED: Final = "Not checked, because an earlier rule refuses the URL."
OF_USER: Final = frozenset(
    {"address", "parameters", "client", "pushed_request", "signed_request", "redirect_uri"}
)
"""Rules before a redirect URI is safe. Their errors are shown to the user."""


async def check(deps: Deps, ctx: Context, request: CheckAuthorizationUrl) -> AuthorizationUrlReport:
    """Runs the rules until one refuses the URL."""
    tenant = await deps.tenants.get(ctx)
    passed: list[AuthorizationRule] = []
    authorization: AuthorizationRequest | None = None
    try:
        parts = _parts_of(request.url)
        ctx = replace(ctx, origin=_checked_origin(tenant, parts))
        passed.append("address")
        params = parse_parameters(parts.query)
        authorization = AuthorizationRequest.from_parameters(params, None)
        authorization.checking = True
        passed.append("parameters")
        for step in STEPS:
            await step(deps, ctx, authorization)
            passed.append(RULES[step])
    except OAuthError as problem:
        return await _refused(deps, ctx, authorization, passed=passed, problem=problem)
    rules = [_result(rule) for rule in passed]
    return AuthorizationUrlReport(
        accepted=True, client_id=authorization.client.client_id, rules=rules
    )


def _parts_of(url: str) -> SplitResult:
    try:
        return urlsplit(url.strip())
    except ValueError:
        raise OAuthError("this is not a URL") from None


def _checked_origin(tenant: Tenant, parts: SplitResult) -> str:
    """Returns the origin of the URL, which is the issuer that answers there. A path alone is one on the
    application's host. Raises OAuthError unless the URL leads to the endpoint on a host of the
    application."""
    scheme = tenant.origin.partition(":")[0]
    is_path = not (parts.scheme or parts.netloc)
    here = parts.scheme == scheme and parts.netloc.lower() in tenant.hosts
    if not (here or is_path) or parts.path != PATH:
        raise OAuthError(f"the authorization endpoint of this application is {tenant.origin}{PATH}")
    return tenant.origin if is_path else f"{scheme}://{parts.netloc.lower()}"


async def _refused(
    deps: Deps,
    ctx: Context,
    authorization: AuthorizationRequest | None,
    *,
    passed: list[AuthorizationRule],
    problem: OAuthError,
) -> AuthorizationUrlReport:
    refusing = ORDER[len(passed)]
    client = None
    if authorization is not None:
        client = await find_registered(deps, ctx, authorization.parameters.get("client_id", ""))
    refused = AuthorizationRuleResult(
        rule=refusing,
        outcome="refused",
        error=problem.code,
        detail=problem.detail,
        hint=authorization and check_hints.hint(refusing, authorization, client),
    )
    rest = ORDER[len(passed) + 1 :]
    return AuthorizationUrlReport(
        accepted=False,
        error_goes_to="user" if refusing in OF_USER else "client",
        client_id=client.client_id if client else None,
        rules=[*(_result(rule) for rule in passed), refused, *(_not_reached(r) for r in rest)],
    )


def _result(rule: AuthorizationRule) -> AuthorizationRuleResult:
    return AuthorizationRuleResult(rule=rule, outcome="passed", detail=PASSED[rule])


def _not_reached(rule: AuthorizationRule) -> AuthorizationRuleResult:
    return AuthorizationRuleResult(rule=rule, outcome="not_reached", detail=NOT_REACHED)
