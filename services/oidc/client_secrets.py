"""Client secrets: 256 random bits, stored as PBKDF2, recognised by an HMAC once verified."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from functools import partial
from typing import Final

from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from common.crypto import b64url
from common.sealing import unb64
from oidc.deps import Deps
from oidc.queries.clients import Registered

ITERATIONS: Final = 100_000
PROCESS_KEY: Final = secrets.token_bytes(32)
"""Verified secrets are remembered as HMACs under this key, which no other process has."""
MAX_SECRET: Final = 512


async def check(deps: Deps, ctx: Context, client: Registered, secret: str) -> None:
    """PBKDF2 once; then the secret is recognised by its HMAC, for as long as it is among the
    client's."""
    if not secret or len(secret) > MAX_SECRET:
        raise InvalidClient("the client secret is wrong")
    mark = hmac.digest(PROCESS_KEY, secret.encode("utf-8", "surrogatepass"), "sha256").hex()
    key = (ctx.app_id, "secret", client.client_id, mark)
    now = time.time()
    valid = {
        stored["id"]: stored["hash"]
        for stored in client.secrets
        if stored["expires"] is None or float(stored["expires"]) > now
    }

    async def verified() -> str:
        for id, stored in valid.items():
            if await deps.pool.run(ctx.app_id, partial(matches, secret, stored)):
                return str(id)
        raise InvalidClient("the client secret is wrong")

    # Many that show the same secret at once wait for one verification.
    tags = [("client", client.client_id)]
    if await deps.known.secrets.fetch(key, verified, tags=lambda _: tags) not in valid:
        deps.known.secrets.drop(ctx.app_id, "client", client.client_id)
        raise InvalidClient("the client secret is wrong")


def hashed(secret: str) -> str:
    """PBKDF2-SHA-256, as stored. Slow: call it in a thread."""
    salt = secrets.token_bytes(16)
    digest = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ITERATIONS)
    return f"pbkdf2-sha256${ITERATIONS}${b64url(salt)}${b64url(digest)}"


def matches(secret: str, stored: str) -> bool:
    """Slow: call it in a thread."""
    _, iterations, salt, digest = stored.split("$")
    encoded = secret.encode("utf-8", "surrogatepass")
    made = hashlib.pbkdf2_hmac("sha256", encoded, unb64(salt), int(iterations))
    return hmac.compare_digest(made, unb64(digest))
