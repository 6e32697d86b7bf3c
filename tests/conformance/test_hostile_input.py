"""Malformed requests, byte for byte, at the endpoints of an application's host. Every answer is a
documented one and never a server error."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from tests.conformance.conftest import CALLBACK, Client
from tests.kit.nats_server import PATIENCE
from tests.kit.system import System

FORM = b"Content-Type: application/x-www-form-urlencoded"
MACHINES = ("token", "introspect", "revoke", "userinfo")

BODIES = {
    "a NUL": b"token=%00&grant_type=a",
    "bytes that are no UTF-8": b"token=\xff\xfe&grant_type=a",
    "percent-encoded bytes that are no UTF-8": b"token=%ff%fe&grant_type=a",
    "half a surrogate pair": b"token=%ED%A0%80&grant_type=a",
    "broken percent-encoding": b"token=%zz%&grant_type=%",
    "parameters twice": b"token=a&token=b&grant_type=a&grant_type=b",
    "arrays": b"token[]=a&grant_type[]=client_credentials",
    "empty names and values": b"=&=&&&=",
    "more parameters than anybody needs": b"&".join(b"a%d=1" % n for n in range(300)),
    "a huge value": b"grant_type=refresh_token&refresh_token=" + b"r" * 60_000 + b"&token=x",
    "another separator": b"token=a;grant_type=b",
    "another alphabet": "token=ключ&grant_type=тип".encode(),
    "lines": b"token=a%0d%0aX-Injected:1&grant_type=a%0d%0aX-Injected:1",
    "nothing": b"",
}
OTHER_TYPES = {
    "JSON": (b"Content-Type: application/json", b'{"grant_type":"client_credentials"}'),
    "multipart": (
        b"Content-Type: multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n--x--\r\n',
    ),
    "none at all": (b"X-Nothing: 1", b"grant_type=client_credentials&token=x"),
}


def basic(value: bytes) -> bytes:
    return b"Basic " + base64.b64encode(value)


CREDENTIALS = {
    "no value": b"Basic",
    "no base64": b"Basic !!!!",
    "no colon": basic(b"abc"),
    "no name": basic(b":secret"),
    "no UTF-8": basic(b"\xff\xfe:a"),
    "a NUL": basic(b"client_\0:a"),
    "an encoded NUL": basic(b"client_%00:%00"),
    "encoded bytes that are no UTF-8": basic(b"%ff%fe:%ff"),
    "a huge name": basic(b"a" * 20_000 + b":b"),
    "a huge secret": basic(b"a:" + b"b" * 20_000),
    "another scheme": b"Digest x",
    "no ASCII": b"Basic \xe9\xe9",
    "two in one": b"Basic YTpi, Basic YTpi",
    "a bearer token": b"Bearer x",
}
TOKENS = {
    "nothing": b"Bearer ",
    "three dots": b"Bearer a.b.c",
    "no ASCII": b"Bearer at_\xe9",
    "a refresh token": b"Bearer rt_xxx",
    "an API key": b"Bearer sk_live_xxx",
    "huge": b"Bearer " + b"a" * 25_000,
    "two": b"Bearer a, Bearer b",
    "a header that is a list": b"Bearer W10.e30.AA",
    "a kid that is a list": b"Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6WyJ4Il19.e30.AA",
    "an alg that is an object": b"Bearer eyJhbGciOnt9LCJraWQiOiJ4In0.e30.AA",
}


@dataclass
class Target:
    """One client for all requests: none of them stores anything."""

    system: System
    client: Client

    @property
    def issuer(self) -> str:
        return self.system.origin("demo")


@pytest.fixture(scope="session")
def target(system: System, registered: dict[str, Any]) -> Target:
    return Target(system, registered["clients"]["client"])


@dataclass
class Told:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        assert self.headers["content-type"] == "application/json", self
        assert self.headers["cache-control"] == "no-store"
        found: str = json.loads(self.body)["error"]
        return found


async def sent(target: Target, method: str, path: str, *headers: bytes, body: bytes = b"") -> Told:
    """Sends a request exactly as it is written."""
    host, port = target.issuer.partition("//")[2], int(target.system.domain.rpartition(":")[2])
    lines = [
        f"{method} {path} HTTP/1.1".encode(),
        f"Host: {host}".encode(),
        b"Connection: close",
        f"Content-Length: {len(body)}".encode(),
        *headers,
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    async with asyncio.timeout(PATIENCE):
        head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    first, *others = head.decode("latin-1").split("\r\n")
    known = dict(line.split(": ", 1) for line in others)
    assert "x-injected" not in {name.lower() for name in known}
    told = Told(int(first.split(" ")[1]), {k.lower(): v for k, v in known.items()}, rest)
    assert told.status < 500, (method, path, told)
    return told


@pytest.mark.parametrize("endpoint", MACHINES)
@pytest.mark.parametrize("case", BODIES)
async def test_forms(target: Target, endpoint: str, case: str) -> None:
    """Errors follow RFC 6749 5.2 and RFC 6750 3.1, for a client with valid credentials."""
    shown = basic(f"{target.client.client_id}:{target.client.client_secret}".encode())
    told = await sent(
        target, "POST", f"/oauth2/{endpoint}", FORM, b"Authorization: " + shown, body=BODIES[case]
    )

    if told.status == 200:  # a token that nobody knows is no mistake (RFC 7009 2.2, RFC 7662 2.2)
        assert endpoint in ("introspect", "revoke")
        assert json.loads(told.body) in ({}, {"active": False})
    else:
        assert told.status == (401 if told.error == "invalid_token" else 400)


@pytest.mark.parametrize("endpoint", MACHINES)
@pytest.mark.parametrize("case", OTHER_TYPES)
async def test_bodies_that_are_no_forms(target: Target, endpoint: str, case: str) -> None:
    kind, body = OTHER_TYPES[case]
    told = await sent(target, "POST", f"/oauth2/{endpoint}", kind, body=body)

    assert (told.status, told.error) == (400, "invalid_request")


@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
@pytest.mark.parametrize("case", CREDENTIALS)
async def test_client_credentials(target: Target, endpoint: str, case: str) -> None:
    """Each attempt is 401 invalid_client with a challenge (RFC 9110 section 15.5.2)."""
    body = b"grant_type=refresh_token&refresh_token=x&token=x"
    header = b"Authorization: " + CREDENTIALS[case]
    told = await sent(target, "POST", f"/oauth2/{endpoint}", FORM, header, body=body)

    assert (told.status, told.error) == (401, "invalid_client")
    assert told.headers["www-authenticate"] == 'Basic realm="token"'


@pytest.mark.parametrize("case", TOKENS)
async def test_access_tokens(target: Target, case: str) -> None:
    told = await sent(target, "GET", "/oauth2/userinfo", b"Authorization: " + TOKENS[case])

    assert (told.status, told.error) == (401, "invalid_token")
    assert told.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("endpoint", [*MACHINES, "authorize", "logout", "jwks.json"])
async def test_other_methods(target: Target, endpoint: str, method: str) -> None:
    """405 lists the allowed methods. GET and HEAD work where there is an answer."""
    told = await sent(target, method, f"/oauth2/{endpoint}")
    if told.status == 405:
        assert method not in told.headers["allow"].split(", ")
    else:
        assert method in ("GET", "HEAD")
        assert endpoint not in ("token", "introspect", "revoke")


JUST_SIGN_IN = {
    "a line break in state": "&state=a%0d%0aX-Injected:1",
    "another alphabet in state": "&state=%D0%BA%F0%9F%98%80",
    "a line break in login_hint": "&login_hint=%0d%0aX-Injected:%201",
    "markup in login_hint": "&login_hint=%3Cscript%3E",
    "a path in ui_locales": "&ui_locales=../../etc/passwd%20%3Cx%3E",
    "what is not known": "&claims[]=1&%zz=%&a;b=c",
    "a long nonce": "&nonce=" + "n" * 5_000,
    "a long state": "&state=" + "s" * 9_000,
    "a hint that is no JWT": "&id_token_hint=a.b.c",
    "a huge hint": "&id_token_hint=" + "a" * 20_000,
    "deep claims": "&claims=" + quote('{"id_token":{"a":' + '{"b":' * 300 + "1" + "}" * 302),
}
TOLD_TO_THE_CLIENT = {
    "a NUL in claims": "&claims=" + quote('{"id_token":{"name":{"value":"\\u0000"}}}'),
    "half a pair in claims": "&claims=" + quote('{"id_token":{"name":{"value":"\\ud800"}}}'),
    "claims that are a list": "&claims=[]",
    "claims that are no JSON": "&claims=%7B",
    "a number beyond all": "&claims=" + quote('{"id_token":{"a":{"value":1e999}}}'),
    "state twice": "&state=a&state=b",
    "another alphabet in scope": "&scope=openid%20%F0%9F%98%80",
    "digits of another alphabet": "&max_age=%D9%A1",
    "a negative age": "&max_age=-1",
    "an unknown API": "&resource=a&resource=b",
}
SHOWN = {
    "a NUL": "&state=%00",
    "bytes that are no UTF-8": "&state=%ff",
    "half a surrogate pair": "&state=%ED%A0%80",
    "another address": "&redirect_uri=https://evil.example",
    "another client": "&client_id=x",
    "more parameters than anybody needs": "".join(f"&a{n}=1" for n in range(300)),
}


def asked(target: Target, more: str) -> str:
    known = f"client_id={target.client.client_id}&redirect_uri={quote(CALLBACK, safe='')}"
    scope = "" if "&scope=" in more else "&scope=openid"
    return f"/oauth2/authorize?{known}&response_type=code{scope}{more}"


@pytest.mark.parametrize("case", JUST_SIGN_IN)
async def test_odd_requests_that_are_none_the_less_right(target: Target, case: str) -> None:
    told = await sent(target, "GET", asked(target, JUST_SIGN_IN[case]))

    assert told.status == 303
    assert told.headers["location"].startswith("/login?request=")


@pytest.mark.parametrize("case", TOLD_TO_THE_CLIENT)
async def test_wrong_requests_go_back(target: Target, case: str) -> None:
    """Errors go to the registered address and to no other (RFC 6749 4.1.2.1)."""
    told = await sent(target, "GET", asked(target, TOLD_TO_THE_CLIENT[case]))

    assert told.status == 303
    address, _, query = told.headers["location"].partition("?")
    assert address == CALLBACK
    assert query.startswith(("error=invalid_request&", "error=invalid_scope&", "error=invalid_t"))


@pytest.mark.parametrize("case", SHOWN)
@pytest.mark.parametrize("accept", [b"*/*", b"text/html"])
async def test_requests_that_nobody_can_be_sent_back_with(
    target: Target, case: str, accept: bytes
) -> None:
    told = await sent(target, "GET", asked(target, SHOWN[case]), b"Accept: " + accept)

    assert (told.status, told.headers.get("location")) == (400, None)
    assert accept != b"text/html" or b"<html" in told.body
    assert b"evil.example" not in told.body.partition(b"<footer")[0]


@pytest.mark.parametrize("path", ["/oauth2/authorize/resume", "/oauth2/logout"])
@pytest.mark.parametrize("query", ["request=%00", "request=ar_x", "request=%ff", "client_id=%ff"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_goes_on_with_nothing(
    target: Target, path: str, query: str, method: str
) -> None:
    """The answer is a page or a problem, and no redirect."""
    if method == "GET":
        told = await sent(target, method, f"{path}?{query}")
    else:
        told = await sent(target, method, path, FORM, body=f"csrf=x&{query}".encode())

    assert told.status in (200, 400, 403)
    assert "location" not in told.headers


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/clients/{id}", b'{"name":"\\ud800"}'),
        ("PUT", "/api/clients/{id}", b'{"\\ud800":1}'),
        ("PATCH", "/api/clients/{id}", b'{"name":"a\\u0000"}'),
        ("POST", "/api/clients", b'{"name":"\\ud800","redirect_uris":["https://a.test/"]}'),
        ("POST", "/api/clients", b'{"name":"a","redirect_uris":["https://[::1/"]}'),
        ("POST", "/api/resources", b'{"name":"a","identifier":"https://[::1/"}'),
        ("GET", "/api/clients/" + "a" * 3_000, b""),
        ("DELETE", "/api/clients/" + "a" * 3_000, b""),
    ],
)
async def test_clients(target: Target, method: str, path: str, body: bytes) -> None:
    """The administration of clients names each mistake."""
    async with target.system.backend() as api:
        known = (await api.get("/api/clients", params={"limit": 1})).json()["clients"][0]["id"]
    key = f"Authorization: Bearer {target.system.demo['secret_key']}".encode()
    told = await sent(
        target,
        method,
        path.replace("{id}", known),
        b"Content-Type: application/json",
        key,
        body=body,
    )

    assert told.status == 422
    assert json.loads(told.body)["code"] == "invalid"
