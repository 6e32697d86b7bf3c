"""Request objects are not supported (OpenID Connect Core section 3.1.2.6).

The error is sent with the object's `response_mode` and `state`, so that the client recognises its
request. Nothing else is read from the object, and its signature is not verified.
"""

from __future__ import annotations

from typing import Any

import orjson

from common.context import Context
from common.contracts.oauth_errors import RequestNotSupported, RequestUriNotSupported
from common.sealing import unb64
from oidc.authorization_request import AuthorizationRequest
from oidc.checks.response_mode_is_known import MODES
from oidc.deps import Deps
from oidc.jose import MAX_LENGTH


async def no_request_object(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Raises RequestNotSupported or RequestUriNotSupported if there is a request object."""
    if "request" in request.parameters:
        _use_response_parameters(request)
        raise RequestNotSupported
    if "request_uri" in request.parameters:
        raise RequestUriNotSupported


def _use_response_parameters(request: AuthorizationRequest) -> None:
    parameters = _parameters(request.parameters["request"])
    mode, state = parameters.get("response_mode"), parameters.get("state")
    if mode in MODES:
        request.response_mode = mode
    if isinstance(state, str) and state:
        request.parameters["state"] = state


def _parameters(request_object: str) -> dict[str, Any]:
    """Returns the parameters in a request object, signed or not. Empty if it is malformed."""
    parts = request_object.split(".", 3) if len(request_object) <= MAX_LENGTH else []
    if len(parts) != 3:
        return {}
    try:
        parameters = orjson.loads(unb64(parts[1]))
    except ValueError:
        return {}
    return parameters if isinstance(parameters, dict) else {}
