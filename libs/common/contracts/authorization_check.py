"""The checker: which rule of the authorization endpoint refuses a URL, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import Contract, Request

AuthorizationRule = Literal[
    "address",
    "parameters",
    "client",
    "redirect_uri",
    "response_mode",
    "repeated_parameters",
    "request_object",
    "response_type",
    "pkce",
    "scope",
    "resource",
    "prompt",
    "claims",
    "acr_values",
    "id_token_hint",
    "pushed_request",
    "signed_request",
    "required_form",
]
RuleOutcome = Literal["passed", "refused", "not_reached"]
MAX_URL = 16_000
"""Characters."""


class AuthorizationRuleResult(Contract):
    """The result of one rule. `detail` is a sentence. `hint` says how to correct the URL, if
    that is known."""

    rule: AuthorizationRule
    outcome: RuleOutcome
    error: str | None = Field(default=None, description="The OAuth error code of a refusal.")
    detail: str
    hint: str | None = None


class AuthorizationUrlReport(Contract):
    """The answer that the authorization endpoint would give to a URL. `accepted`: no rule refuses it, and
    the user signs in next."""

    accepted: bool
    error_goes_to: Literal["user", "client"] | None = Field(
        default=None,
        description="Where the error of the refusal is shown: to the user, because no redirect URI is "
        "safe yet, or to the client at its redirect URI.",
    )
    client_id: str | None = Field(
        default=None, description="The client of the URL, if the application has it."
    )
    rules: list[AuthorizationRuleResult] = Field(
        description="The rules in the order in which the endpoint checks them. The endpoint stops at "
        "the first that refuses, so the rules after it are `not_reached`."
    )


class CheckAuthorizationUrl(
    Request[AuthorizationUrlReport],
    subject="oidc.authorization.check",
    needs="clients:read",
    safe=True,
):
    """Checks an authorization URL by the rules of the authorization endpoint that concern the URL. It
    has no effect: no code, no pending request, no event."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL,
        repr=False,
        description="The URL to which the client sends its users, with all parameters.",
    )
