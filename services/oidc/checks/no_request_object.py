"""OpenID Connect Core section 3.1.2.6: we take no request objects, and say so.

The refusal goes out as the object asks: with its `response_mode` and its `state`, or the client
could not tell what was refused. Nothing else is read from it, and nothing in it is proven.
"""

from __future__ import annotations

from typing import Any

import orjson

from common.context import Context
from common.contracts.oauth_errors import RequestNotSupported, RequestUriNotSupported
from common.sealing import unb64
from oidc.checks.response_mode_is_known import MODES
from oidc.deps import Deps
from oidc.jose import MAX_LENGTH
from oidc.request import AuthorizationRequest


async def no_request_object(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    if "request" in request.given:
        _answer_as_it_asks(request)
        raise RequestNotSupported
    if "request_uri" in request.given:
        raise RequestUriNotSupported


def _answer_as_it_asks(request: AuthorizationRequest) -> None:
    parameters = _parameters(request.given["request"])
    mode, state = parameters.get("response_mode"), parameters.get("state")
    if mode in MODES:
        request.response_mode = mode
    if isinstance(state, str) and state:
        request.given["state"] = state


def _parameters(request: str) -> dict[str, Any]:
    """The parameters in a request object, signed or not; empty if it cannot be read."""
    parts = request.split(".", 3) if len(request) <= MAX_LENGTH else []
    if len(parts) != 3:
        return {}
    try:
        parameters = orjson.loads(unb64(parts[1]))
    except ValueError:
        return {}
    return parameters if isinstance(parameters, dict) else {}
