"""HTTP as `aero2 doctor isolation` sends it: at a bounded rate, without a cookie jar or redirects."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx

from aero2.failures import CommandError

PATIENCE: Final = 120.0
"""Seconds for one request that is told to wait."""
LONGEST_WAIT: Final = 30.0
"""Seconds. An answer that asks for a longer wait is a refusal."""
TIMEOUTS: Final = {"connect": 10.0, "read": 30.0, "write": 10.0, "pool": 10.0}
STREAM_READ: Final = 0.5
"""Seconds to read server-sent events, which never end by themselves."""
MOST: Final = 4_000_000
"""Bytes of an answer."""
WAITS: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Credential:
    """What a request presents. `name` says whose and which it is, for the report."""

    name: str = "none"
    bearer: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    basic: str = field(default="", repr=False)
    """Id and secret of a client, joined by a colon."""


NONE: Final = Credential()


@dataclass(frozen=True)
class Parts:
    """A request without its address and credential."""

    method: str
    path: str
    json: Any = None
    form: Mapping[str, str] | None = None
    query: Mapping[str, str] | None = None

    def text(self) -> str:
        """Returns everything that is sent, as text."""
        return f"{self.target} {json.dumps(self.json)} {dict(self.form or {})}"

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def body(self) -> tuple[bytes, str]:
        """Returns the content and its type. Both are empty without a body."""
        if self.json is not None:
            return json.dumps(self.json).encode(), "application/json"
        if self.form is not None:
            return urlencode(self.form).encode(), "application/x-www-form-urlencoded"
        return b"", ""


@dataclass(frozen=True)
class Answer:
    """What came back. `told` is the status line's code, the headers and the body, as text."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def ok(self) -> bool:
        """Whether the request was answered with success."""
        return 200 <= self.status < 300

    @property
    def told(self) -> str:
        """Everything that an answer tells: headers and body."""
        return "\n".join([*(f"{name}: {value}" for name, value in self.headers), self.text])

    def header(self, name: str) -> str:
        """Returns the first header of this name, or an empty text."""
        return next((value for each, value in self.headers if each == name), "")

    def json(self) -> Any:
        """Returns the body. Raises CommandError if it is no JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise CommandError(f"An answer with status {self.status} is no JSON.") from None

    @property
    def code(self) -> str:
        """The error code of a problem (RFC 9457) or of OAuth. Empty if there is none."""
        try:
            body = json.loads(self.text)
            return str(body.get("code") or body.get("error") or "")
        except (ValueError, AttributeError):
            return ""

    def cookie(self, ending: str) -> str:
        """Returns the cookie whose name has this ending, as `name=value`. Empty if none is set."""
        for name, value in self.headers:
            pair = value.partition(";")[0]
            if name == "set-cookie" and pair.partition("=")[0].endswith(ending):
                return pair
        return ""


class Wire:
    """Sends requests one after another, at most `rate` in a second. A name below localhost is this
    machine, whether the resolver knows it or not."""

    def __init__(self, rate: float, ca: Path | None = None) -> None:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        self._transport = httpx.HTTPTransport(verify=context, http1=True)
        self._gap = 1.0 / rate
        self._next = 0.0
        self.sent = 0

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def send(self, origin: str, parts: Parts, credential: Credential = NONE) -> Answer:
        """Returns the answer. Waits as a limit asks. Raises CommandError if nothing answers."""
        ends = time.monotonic() + PATIENCE
        while True:
            wait = LONGEST_WAIT
            try:
                answer = self._send(origin, parts, credential)
            except httpx.TransportError as error:
                if time.monotonic() > ends:
                    raise CommandError(f"{origin} cannot be reached: {error}.") from None
                wait = 1.0
            else:
                if answer.status not in WAITS:
                    return answer
                wait = _seconds(answer.header("retry-after"))
                if wait > LONGEST_WAIT or time.monotonic() + wait > ends:
                    return answer
            time.sleep(wait)

    def _send(self, origin: str, parts: Parts, credential: Credential) -> Answer:
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._gap
        self.sent += 1
        request = _request(origin, parts, credential)
        response = self._transport.handle_request(request)
        try:
            return Answer(
                response.status_code,
                [(name.lower(), value) for name, value in response.headers.multi_items()],
                _read(response),
            )
        finally:
            response.close()


def _request(origin: str, parts: Parts, credential: Credential) -> httpx.Request:
    url = urlsplit(origin)
    host = url.hostname or ""
    here = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    port = f":{url.port}" if url.port else ""
    content, kind = parts.body()
    headers = {"Host": url.netloc, "User-Agent": "aero2-doctor", "Accept-Encoding": "gzip"}
    if kind:
        headers["Content-Type"] = kind
    if credential.bearer:
        headers["Authorization"] = f"Bearer {credential.bearer}"
    if credential.basic:
        coded = base64.b64encode(credential.basic.encode()).decode()
        headers["Authorization"] = f"Basic {coded}"
    if credential.cookie:
        headers |= {"Cookie": credential.cookie, "Origin": origin}
    streams = parts.path.endswith("/audit/stream")
    timeouts = TIMEOUTS | {"read": STREAM_READ * 10} if streams else TIMEOUTS
    return httpx.Request(
        parts.method,
        f"{url.scheme}://{here}{port}{parts.target}",
        headers=headers,
        content=content,
        extensions={"timeout": timeouts, "sni_hostname": host},
    )


def _read(response: httpx.Response) -> str:
    """Returns the body, and of server-sent events what comes at first."""
    endless = response.headers.get("content-type", "").startswith("text/event-stream")
    ends = time.monotonic() + STREAM_READ
    body = b""
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MOST or (endless and time.monotonic() > ends):
                break
    except httpx.ReadTimeout:
        if not endless:
            raise
    return body.decode(errors="replace")


def _seconds(retry_after: str) -> float:
    return float(retry_after) + 0.1 if retry_after.isdigit() else 1.0
