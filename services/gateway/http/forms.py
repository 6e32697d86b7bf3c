"""Form bodies and queries as they came: in order, with duplicates."""

from __future__ import annotations

from typing import Final

from common.contracts.authorization import Params
from common.contracts.oauth_errors import OAuthError
from common.form_parameters import parse_parameters
from common.problems import Invalid, TooLarge
from gateway.http.request import GatewayRequest

MAX_FORM: Final = 131_072
"""Bytes of a form. Decoding a megabyte of percent signs takes more than half a second."""
FORM: Final = "application/x-www-form-urlencoded"


def query(request: GatewayRequest) -> Params:
    return parse_parameters(request.query.decode("latin-1"))


async def form(request: GatewayRequest) -> Params:
    """Reads the form in the body. Raises OAuthError if the body has another type, and TooLarge if it
    is longer than MAX_FORM."""
    body = await request.body.read()
    if not body:
        return []
    if request.media_type != FORM:
        raise OAuthError("send the parameters as application/x-www-form-urlencoded")
    if len(body) > MAX_FORM:
        raise TooLarge(f"a form can have at most {MAX_FORM} bytes")
    try:
        return parse_parameters(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise OAuthError("the body is not UTF-8") from None


def once(params: Params) -> dict[str, str]:
    """Returns the parameters by name. Raises Invalid if one was sent twice."""
    values: dict[str, str] = {}
    for name, value in params:
        if name in values:
            raise Invalid(f"send {name} only once")
        values[name] = value
    return values
