"""The answer to an authorization request, in the response mode it asked for."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import OAuthError
from oidc.request import AuthorizationRequest


def code(ctx: Context, request: AuthorizationRequest, value: str) -> Authorization:
    """RFC 6749 section 4.1.2."""
    return _answer(ctx, request, [("code", value)])


def error(ctx: Context, request: AuthorizationRequest, problem: OAuthError) -> Authorization:
    """RFC 6749 section 4.1.2.1. Only steps after the redirect URI was proven come here."""
    return _answer(
        ctx, request, [("error", problem.code), ("error_description", problem.detail[:300])]
    )


def _answer(
    ctx: Context, request: AuthorizationRequest, fields: list[tuple[str, str]]
) -> Authorization:
    state = request.given.get("state")
    if state is not None:
        fields.append(("state", state))
    fields.append(("iss", ctx.origin))  # RFC 9207
    if request.response_mode == "form_post":  # OAuth 2.0 Form Post Response Mode
        return Authorization(kind="form_post", location=request.redirect_uri, fields=fields)
    encoded = urlencode(fields, quote_via=quote, safe="")
    if request.response_mode == "fragment":
        return Authorization(kind="redirect", location=f"{request.redirect_uri}#{encoded}")
    joint = "&" if "?" in request.redirect_uri else "?"
    return Authorization(kind="redirect", location=f"{request.redirect_uri}{joint}{encoded}")


def shown(problem: OAuthError) -> Authorization:
    """To the person: nothing is known that could safely be redirected to."""
    return Authorization(kind="error", error=problem.code, error_description=problem.detail)
