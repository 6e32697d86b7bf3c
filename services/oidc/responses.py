"""The answer to an authorization request, in the response mode it asked for."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from common.context import Context
from common.contracts.oidc import Authorization, OAuthError
from oidc.request import Asked


def code(ctx: Context, asked: Asked, made: str) -> Authorization:
    """RFC 6749 section 4.1.2."""
    return _answer(ctx, asked, [("code", made)])


def error(ctx: Context, asked: Asked, problem: OAuthError) -> Authorization:
    """RFC 6749 section 4.1.2.1. Only steps after the redirect URI was proven come here."""
    return _answer(
        ctx, asked, [("error", problem.code), ("error_description", problem.detail[:300])]
    )


def _answer(ctx: Context, asked: Asked, fields: list[tuple[str, str]]) -> Authorization:
    state = asked.given.get("state")
    if state is not None:
        fields.append(("state", state))
    fields.append(("iss", ctx.origin))  # RFC 9207
    if asked.response_mode == "form_post":  # OAuth 2.0 Form Post Response Mode
        return Authorization(kind="form_post", location=asked.redirect_uri, fields=fields)
    encoded = urlencode(fields, quote_via=quote, safe="")
    if asked.response_mode == "fragment":
        return Authorization(kind="redirect", location=f"{asked.redirect_uri}#{encoded}")
    joint = "&" if "?" in asked.redirect_uri else "?"
    return Authorization(kind="redirect", location=f"{asked.redirect_uri}{joint}{encoded}")


def shown(problem: OAuthError) -> Authorization:
    """To the person: nothing is known that could safely be redirected to."""
    return Authorization(kind="error", error=problem.code, error_description=problem.detail)
