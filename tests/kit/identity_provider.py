"""Identity providers on a local HTTP server, in the shapes that real ones answer in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import inspect
import json
import secrets
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from common.crypto import b64url
from common.egress import Egress
from common.outgoing_http import Answer, OutgoingHttp


@dataclass
class HttpCall:
    """A request that reached the server."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def basic(self) -> tuple[str, str]:
        """The name and the password of Basic authentication (RFC 6749 section 2.3.1)."""
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        name, _, password = b64decode(encoded).decode().partition(":")
        return (unquote_plus(name), unquote_plus(password)) if scheme == "Basic" else ("", "")

    @property
    def bearer(self) -> str:
        """The access token."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


Reply = Any
"""A JSON value, or (status, JSON value), or bytes that are sent as they are."""


@dataclass
class ProviderServer:
    """An HTTP server. `routes` has a function for each path; a test adds and replaces them."""

    base: str = ""
    routes: dict[str, Callable[[HttpCall], Reply]] = field(default_factory=dict)
    calls: list[HttpCall] = field(default_factory=list)

    def count(self, path: str) -> int:
        """Returns how many requests the path has had."""
        return sum(call.path == path for call in self.calls)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ", 2)
            headers = {
                name.lower(): value
                for name, _, value in (line.partition(": ") for line in head[1:])
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            parts = urlsplit(target)
            call = HttpCall(method, parts.path, dict(parse_qsl(parts.query)), headers, body)
            self.calls.append(call)
            route = self.routes.get(parts.path)
            reply = route(call) if route else (404, {})
            if inspect.isawaitable(reply):
                reply = await reply
            writer.write(_encoded(reply))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _encoded(reply: Reply) -> bytes:
    if isinstance(reply, bytes):
        return reply
    status, value = reply if isinstance(reply, tuple) else (200, reply)
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\nConnection: close\r\n\r\n" + body


@asynccontextmanager
async def running_server() -> AsyncIterator[ProviderServer]:
    """Runs a server on a free port."""
    server = ProviderServer()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.base = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


@dataclass(frozen=True)
class LocalInternet(OutgoingHttp):
    """Sends https requests to the local server: `https://host/path` becomes `/host/path` there. Requests
    to addresses, and without TLS, go the way that they go in production."""

    base: str = ""

    async def request(self, method: str, url: str, **options: Any) -> Answer:
        host = urlsplit(url).hostname or ""
        if not url.startswith("https://") or ":" in host or host.replace(".", "").isdigit():
            return await super().request(method, url, **options)
        local = OutgoingHttp(Egress(private=True))
        return await local.request(method, f"{self.base}/{url.removeprefix('https://')}", **options)


def local_internet(server: ProviderServer) -> LocalInternet:
    """Returns the client that finds every host at the local server."""
    return LocalInternet(base=server.base)


@dataclass
class SigningKey:
    """A private key with its id, and the JWK that is published."""

    kid: str
    alg: str
    key: Any

    @property
    def jwk(self) -> dict[str, Any]:
        algorithm = get_default_algorithms()[self.alg]
        jwk: dict[str, Any] = algorithm.to_jwk(self.key.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        return jwk | {"kid": self.kid, "alg": self.alg, "use": "sig"}


def new_key(kid: str = "k1", alg: str = "RS256") -> SigningKey:
    """Returns a new key for an algorithm."""
    if alg in ("RS256", "PS256"):
        return SigningKey(kid, alg, rsa.generate_private_key(65537, 2048))
    if alg == "ES256":
        return SigningKey(kid, alg, ec.generate_private_key(ec.SECP256R1()))
    return SigningKey(kid, alg, ed25519.Ed25519PrivateKey.generate())


@cache
def shared_key() -> SigningKey:
    """Returns one RSA key for all tests: a new one takes up to a second."""
    return new_key()


@dataclass
class Grant:
    """An authorization that waits for its code to be exchanged."""

    params: dict[str, str]


@dataclass
class OpenIdProvider:
    """An OpenID provider at `issuer`. Tests change its fields between the steps of a sign-in."""

    server: ProviderServer
    issuer: str
    client_id: str = "our-client"
    secret: str = "our-secret"
    auth: str = "basic"
    key: SigningKey = field(default_factory=lambda: shared_key())
    published: list[SigningKey] | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims of the ID token that differ. A value of ... leaves a claim out."""
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    subject: str = "user-1"
    at_hash: bool = True
    encode: Callable[[dict[str, Any]], str] | None = None
    grants: dict[str, Grant] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the issuer is on the local server."""
        if self.issuer.startswith("https://"):
            return "/" + self.issuer.removeprefix("https://").rstrip("/")
        return urlsplit(self.issuer).path.rstrip("/")

    def install(self) -> OpenIdProvider:
        """Adds the endpoints to the server."""
        place, routes = self.place, self.server.routes
        routes[f"{place}/.well-known/openid-configuration"] = lambda _: self.discovery()
        routes[f"{place}/jwks"] = lambda _: {
            "keys": [key.jwk for key in self.published or [self.key]]
        }
        routes[f"{place}/token"] = self.token
        routes[f"{place}/userinfo"] = self.answer_userinfo
        return self

    def discovery(self) -> dict[str, Any]:
        """Returns the discovery document (Discovery 1.0 section 3)."""
        issuer = self.issuer.rstrip("/")
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo" if self.userinfo is not None else None,
            "jwks_uri": f"{issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return without_gaps(document | self.metadata)

    def authorize(self, url: str) -> str:
        """Lets the user agree. Returns the code."""
        code = secrets.token_urlsafe(12)
        self.grants[code] = Grant(dict(parse_qsl(urlsplit(url).query)))
        return code

    def token(self, call: HttpCall) -> Reply:
        """Answers a token request (Core section 3.1.3)."""
        form = call.form
        if self.auth == "basic":
            client = call.basic
        else:
            client = (form.get("client_id", ""), form.get("client_secret", ""))
        if client != (self.client_id, self.secret):
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "refresh_token":
            return {"access_token": "renewed", "token_type": "Bearer", "expires_in": 60}
        grant = self.grants.pop(form.get("code", ""), None)
        if grant is None or not fits(grant, form):
            return 400, {"error": "invalid_grant"}
        access = secrets.token_urlsafe(16)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": "refresh",
            "scope": grant.params.get("scope", ""),
            "id_token": self.id_token(grant, access),
        }

    def id_token(self, grant: Grant, access: str) -> str:
        """Returns a signed ID token (Core section 2)."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.params.get("nonce"),
        }
        if self.at_hash:
            digest = hashlib.sha512 if self.key.alg == "EdDSA" else hashlib.sha256
            half = digest(access.encode()).digest()
            claims["at_hash"] = b64url(half[: len(half) // 2])
        claims = {**without_gaps(claims), **self.claims}
        claims = {name: value for name, value in claims.items() if value is not ...}
        if self.encode:
            return self.encode(claims)
        header = {"kid": self.key.kid, **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        payload = json.dumps(claims).encode()
        return jwt.PyJWS().encode(payload, self.key.key, algorithm=self.key.alg, headers=header)

    def answer_userinfo(self, call: HttpCall) -> Reply:
        """Answers a UserInfo request (Core section 5.3)."""
        return {"sub": self.subject, **(self.userinfo or {})} if call.bearer else (401, {})


def without_gaps(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the members that have a value."""
    return {name: value for name, value in document.items() if value is not None}


def fits(grant: Grant, form: dict[str, str]) -> bool:
    """Returns whether a code is exchanged as it was requested (RFC 6749 section 4.1.3, RFC 7636)."""
    challenge = grant.params.get("code_challenge")
    verifier = form.get("code_verifier", "")
    proof = b64url(hashlib.sha256(verifier.encode()).digest()) if verifier else None
    return proof == challenge and form.get("redirect_uri") == grant.params.get("redirect_uri")


def hmac_token(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    """Returns a token that HMAC signed. PyJWT refuses to sign with a public key, so this is by hand."""
    head = b64url(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode())
    message = f"{head}.{b64url(json.dumps(claims).encode())}"
    return f"{message}.{b64url(hmac.digest(secret, message.encode(), 'sha256'))}"
