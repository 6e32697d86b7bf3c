"""Responses as bytes, and the one place where a Problem becomes HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import orjson

from common.contracts.oauth_errors import InsufficientScope, InvalidToken, OAuthError
from common.contracts.step_up import FreshTokenNeeded
from common.problems import Problem, Unauthenticated
from gateway.http.request import GatewayRequest

Headers = list[tuple[bytes, bytes]]


class MethodNotAllowed(Problem):
    """The path exists, but not for this method (RFC 9110 section 15.5.6). `allow` names the methods
    that it has."""

    status, code, title = 405, "method_not_allowed", "This path does not support this method."


class MissingToken(InvalidToken):
    """The request has no access token. Its challenge has no error code (RFC 6750 section 3.1)."""

    code, title = "missing_token", "Send an access token in the Authorization header."


JSON: Final = (b"content-type", b"application/json")
HTML: Final = (b"content-type", b"text/html; charset=utf-8")
PROBLEM: Final = (b"content-type", b"application/problem+json")
NO_STORE: Final = (b"cache-control", b"no-store")
NO_SCRIPTS: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
RESOURCE_METADATA: Final = "/.well-known/oauth-protected-resource"
"""Where tokens for the JSON API come from (RFC 9728)."""
IN_HEADERS: Final = ("retry_after", "allow", "etag", "scheme", "nonce")
"""Values of a problem that stand in headers, not in its document."""
DPOP: Final = "DPoP"
"""The scheme of tokens that are bound to a key (RFC 9449 section 7.1)."""
DPOP_ALGORITHMS: Final = "ES256 PS256 EdDSA"
LOCATION: Final = ":/%#?=@[]!$&'()*+,;~"
"""Characters of an address that a Location header keeps as they are."""
AUTHENTICATE: Final = (
    "Send a secret key or an access token as `Authorization: Bearer …`, or the session cookie of a "
    "browser. See {docs}."
)


@dataclass(slots=True)
class GatewayResponse:
    """A complete response. With `pieces`, the body is what they yield, for as long as the client stays."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    pieces: AsyncGenerator[bytes, None] | None = None


def json_response(status: int, value: Any, *headers: tuple[bytes, bytes]) -> GatewayResponse:
    return GatewayResponse(status, orjson.dumps(value), [JSON, *headers])


def html_response(text: str, status: int, headers: Mapping[str, str]) -> GatewayResponse:
    fields = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return GatewayResponse(status, text.encode(), [*fields, HTML])


def redirect(location: str) -> GatewayResponse:
    """Returns a 303, so that no browser repeats a POST elsewhere (RFC 9700 section 4.12)."""
    where = quote(location, safe=LOCATION).encode("latin-1")
    return GatewayResponse(303, b"", [NO_STORE, (b"location", where)])


def problem_response(error: Problem, request: GatewayRequest) -> GatewayResponse:
    """Returns the problem as a document (RFC 9457)."""
    status = _resource_status(error)
    body = {
        "type": f"urn:problem:{error.code}",
        "title": summary(error.code),
        "status": status,
        "code": error.code,
        "detail": _detail(error, request),
        "instance": f"urn:trace:{request.trace_id}",
        **{name: value for name, value in error.extra.items() if name not in IN_HEADERS},
    }
    headers = [PROBLEM, NO_STORE, *_retry(error, status), *_nonce(error)]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", str(error.extra.get("allow", "")).encode()))
    if "etag" in error.extra:
        headers.append((b"etag", str(error.extra["etag"]).encode("latin-1")))
    if status == 401:
        headers.append((b"www-authenticate", _challenge(error)))
    return GatewayResponse(status, orjson.dumps(body, default=str), headers)


def _challenge(error: Problem) -> bytes:
    """Returns the challenge of a 401. For a token whose sign-in is too old, it says which sign-in is
    needed (RFC 9470 section 3)."""
    if _is_of_dpop(error):
        return _dpop_challenge(error)
    if not isinstance(error, FreshTokenNeeded):
        return b'Bearer realm="api"'
    fields = f'error="{error.code}", acr_values="{error.extra.get("acr_values", "")}"'
    return f"Bearer {fields}, max_age={error.extra.get('max_age', 0)}".encode()


def _is_of_dpop(error: Problem) -> bool:
    """Returns whether a resource refuses a token that is bound to a key, or its proof."""
    return error.extra.get("scheme") == DPOP


def _resource_status(error: Problem) -> int:
    """Returns the status of an error of our API. A proof that the token endpoint would answer with 400 is
    answered with 401 there (RFC 9449 sections 7.1 and 9)."""
    return 401 if _is_of_dpop(error) else error.status


def _dpop_challenge(error: Problem) -> bytes:
    """Returns the challenge of the scheme DPoP (RFC 9449 section 7.1)."""
    fields = f'error="{error.code}", error_description="{error.detail}"'
    return f'{DPOP} {fields}, algs="{DPOP_ALGORITHMS}"'.encode("latin-1", "replace")


def _nonce(error: Problem) -> Headers:
    """Returns the nonce that a client is to use (RFC 9449 section 8)."""
    nonce = error.extra.get("nonce")
    return [] if nonce is None else [(b"dpop-nonce", str(nonce).encode("latin-1"))]


def summary(code: str) -> str:
    """Returns the title of a kind of problem: the words of its code, for people."""
    return code.replace("_", " ").capitalize()


def _detail(error: Problem, request: GatewayRequest) -> str:
    """Returns the problem's detail. If the credential is missing, it says how to send one."""
    if error.code == Unauthenticated.code and error.detail == Unauthenticated.title:
        return AUTHENTICATE.format(docs=f"{request.origin}/docs")
    return error.detail


def oauth_error(error: Problem) -> GatewayResponse:
    """Returns the error as RFC 6749 section 5.2 wants it. Other problems become the nearest OAuth
    error. Each 401 has a challenge (RFC 9110 section 15.5.2), however the client authenticated."""
    status, code = error.status, error.code
    if not isinstance(error, OAuthError):
        if error.status in (503, 504):
            status, code = 503, "temporarily_unavailable"
        elif error.status == 429:
            code = "slow_down"
        elif error.status < 500:
            status, code = 400, "invalid_request"
        else:
            code = "server_error"
    headers = [JSON, NO_STORE, (b"pragma", b"no-cache"), *_retry(error, status), *_nonce(error)]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="token"'))
    body = {"error": code, "error_description": error.detail}
    return GatewayResponse(status, orjson.dumps(body), headers)


def bearer_error(error: Problem) -> GatewayResponse:
    """Returns the error with a challenge that says what is wrong with the token (RFC 6750 section
    3)."""
    if isinstance(error, MissingToken):
        fields = {"error": InvalidToken.code, "error_description": error.detail}
        return json_response(401, fields, NO_STORE, (b"www-authenticate", b"Bearer"))
    if not isinstance(error, InvalidToken | InsufficientScope) and not _is_of_dpop(error):
        return oauth_error(error)
    challenge = f'Bearer error="{error.code}", error_description="{error.detail}"'.encode(
        "latin-1", "replace"
    )
    if _is_of_dpop(error):
        challenge = _dpop_challenge(error)
    body = {"error": error.code, "error_description": error.detail}
    return GatewayResponse(
        _resource_status(error),
        orjson.dumps(body),
        [JSON, NO_STORE, (b"www-authenticate", challenge), *_nonce(error)],
    )


def _retry(error: Problem, status: int) -> Headers:
    """Returns when to try again, for each answer that asks for patience: a 504 of a service is one, too, where
    it is answered as 503."""
    if status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return []
    seconds = max(1, round(float(error.extra.get("retry_after", 1))))
    return [(b"retry-after", str(seconds).encode())]
