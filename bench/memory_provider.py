"""An OpenID provider that answers from memory, so that a load measures the relying party alone."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

CLIENT_ID, CLIENT_SECRET = "bench", "bench secret"
KID = "bench"


@dataclass
class MemoryProvider:
    """The provider. Its authorization codes contain what the ID token will say, so it stores nothing."""

    issuer: str = ""
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def code(self, nonce: str, subject: str) -> str:
        """Returns an authorization code for this user."""
        claims = {"sub": subject, "nonce": nonce, "email": f"{subject}@example.com"}
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request and closes the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ", 2)[1]
        length = next(
            (int(line.split(":")[1]) for line in head.split("\r\n") if line[:15].lower() == "content-length:"),
            0,
        )  # fmt: skip
        form = parse_qs((await reader.readexactly(length)).decode())
        body = json.dumps(self._answer(path, form)).encode()
        lines = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(f"{lines}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    def _answer(self, path: str, form: dict[str, list[str]]) -> dict[str, Any]:
        if path.endswith("openid-configuration"):
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
            }
        if path == "/jwks":
            public = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return {"keys": [{**public, "kid": KID, "alg": "ES256", "use": "sig"}]}
        now = int(time.time())
        claims = json.loads(base64.urlsafe_b64decode(form["code"][0]))
        claims |= {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300}
        claims["email_verified"] = True
        token = jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": KID})
        return {"access_token": "bench", "token_type": "Bearer", "id_token": token}


def start() -> MemoryProvider:
    """Runs a provider in a thread of its own, on loopback, until the process ends."""
    provider, started = MemoryProvider(), threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
        provider.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    if not started.wait(10):
        raise RuntimeError("the provider of the load did not start")
    return provider
