"""Answers as bytes, and the one place where a Problem becomes HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from common.contracts.oauth_errors import InsufficientScope, InvalidToken, OAuthError
from common.problems import Problem, RateLimited, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from gateway.http.request import GatewayRequest

Headers = list[tuple[bytes, bytes]]


class MethodNotAllowed(Problem):
    """RFC 9110 section 15.5.6: the answer names the methods that there are."""

    status, code, title = 405, "method_not_allowed", "This path does not support this method."


JSON: Final = (b"content-type", b"application/json")
PROBLEM: Final = (b"content-type", b"application/problem+json")
NO_STORE: Final = (b"cache-control", b"no-store")
IN_HEADERS: Final = ("retry_after", "allow")
"""What a problem knows and its document does not repeat."""


@dataclass(slots=True)
class Answer:
    """A complete response."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)


def json(status: int, value: Any, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, orjson.dumps(value), [JSON, *headers])


AUTHENTICATE: Final = (
    "Send a secret key or an access token as `Authorization: Bearer …`, or the session cookie of a "
    "browser. See {docs}."
)


def response(answer: Answer) -> Response:
    """The same for Starlette."""
    made = Response(answer.body, answer.status)
    made.raw_headers.extend(answer.headers)
    return made


def problem(error: Problem, visit: GatewayRequest) -> Answer:
    """RFC 9457. Whatever is not a Problem was made a bare one before it came here."""
    body = {
        "type": f"urn:problem:{error.code}",
        "title": summary(error.code),
        "status": error.status,
        "code": error.code,
        "detail": _detail(error, visit),
        "instance": f"urn:trace:{visit.trace[3:35]}",
        **{name: value for name, value in error.extra.items() if name not in IN_HEADERS},
    }
    headers = [PROBLEM, NO_STORE, *_retry(error)]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", str(error.extra.get("allow", "")).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="api"'))
    return Answer(error.status, orjson.dumps(body, default=str), headers)


def summary(code: str) -> str:
    """The title of a kind of problem: the same words as its code, for people."""
    return code.replace("_", " ").capitalize()


def _detail(error: Problem, visit: GatewayRequest) -> str:
    """Who brought no credential learns how to."""
    if error.code == Unauthenticated.code and error.detail == Unauthenticated.title:
        return AUTHENTICATE.format(docs=f"{visit.origin}/docs")
    return error.detail


def oauth(error: Problem) -> Answer:
    """RFC 6749 section 5.2. Problems of ours become the nearest OAuth error. Each 401 has a
    challenge (RFC 9110 section 15.5.2), however the client tried."""
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
    headers = [JSON, NO_STORE, (b"pragma", b"no-cache"), *_retry(error)]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="token"'))
    body = {"error": code, "error_description": error.detail}
    return Answer(status, orjson.dumps(body), headers)


def bearer_error(error: Problem) -> Answer:
    """RFC 6750 section 3: the challenge says what was wrong with the token."""
    if not isinstance(error, InvalidToken | InsufficientScope):
        return oauth(error)
    challenge = f'Bearer error="{error.code}", error_description="{error.detail}"'
    body = {"error": error.code, "error_description": error.detail}
    return Answer(
        error.status,
        orjson.dumps(body),
        [JSON, NO_STORE, (b"www-authenticate", challenge.encode("latin-1", "replace"))],
    )


def _retry(error: Problem) -> Headers:
    if not isinstance(error, Unavailable | RateLimited):
        return []
    seconds = max(1, round(float(error.extra.get("retry_after", 1))))
    return [(b"retry-after", str(seconds).encode())]
