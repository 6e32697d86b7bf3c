"""The response to an authorization request, in the response mode that the client chose."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import OAuthError
from oidc import client_display, signed_responses
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def code(
    deps: Deps, ctx: Context, request: AuthorizationRequest, value: str
) -> Authorization:
    """Returns the response with an authorization code (RFC 6749 section 4.1.2)."""
    return await _response(deps, ctx, request, [("code", value)])


async def error(
    deps: Deps, ctx: Context, request: AuthorizationRequest, problem: OAuthError
) -> Authorization:
    """Returns an error response to the client (RFC 6749 section 4.1.2.1).

    Call it only after the redirect URI was checked.
    """
    fields = [("error", problem.code), ("error_description", problem.detail[:300])]
    return await _response(deps, ctx, request, fields)


async def _response(
    deps: Deps, ctx: Context, request: AuthorizationRequest, fields: list[tuple[str, str]]
) -> Authorization:
    state = request.parameters.get("state")
    if state is not None:
        fields.append(("state", state))
    mode = signed_responses.MODES.get(request.response_mode)
    if mode is None:
        mode = request.response_mode
        fields.append(("iss", ctx.origin))  # RFC 9207
    else:
        fields = [("response", await signed_responses.sign(deps, ctx, request, fields))]
    if mode == "form_post":  # OAuth 2.0 Form Post Response Mode
        return Authorization(kind="form_post", location=request.redirect_uri, fields=fields)
    encoded = urlencode(fields, quote_via=quote, safe="")
    if mode == "fragment":
        return Authorization(kind="redirect", location=f"{request.redirect_uri}#{encoded}")
    joint = "&" if "?" in request.redirect_uri else "?"
    return Authorization(kind="redirect", location=f"{request.redirect_uri}{joint}{encoded}")


def device_decided(request: AuthorizationRequest, *, approved: bool) -> Authorization:
    """Returns the page that says what the user decided on a device (RFC 8628 section 3.3)."""
    return Authorization(
        kind="device_approved" if approved else "device_denied",
        client_name=client_display.shown_name(request.client),
    )


def with_session(request: AuthorizationRequest, response: Authorization) -> Authorization:
    """Adds session and client: the gateway shows pages for this session, and remembers it."""
    session_id = request.session.session_id if request.session else None
    return response.model_copy(
        update={"session_id": session_id, "client_id": request.client.client_id}
    )


def error_page(problem: OAuthError) -> Authorization:
    """Returns an error for the user. Use it while no redirect URI has been checked."""
    return Authorization(kind="error", error=problem.code, error_description=problem.detail)
