"""Verifies client secrets: 256 random bits, stored as PBKDF2.

Once verified, a secret is recognised by a MAC (keyed BLAKE2b, RFC 7693), so PBKDF2 runs once for each
process.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cache, partial
from typing import Final

from common import clock
from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from common.crypto import b64url
from common.sealing import unb64
from oidc.deps import Deps
from oidc.queries.clients import RegisteredClient

ITERATIONS: Final = 100_000
MAX_SECRET: Final = 512


async def check(deps: Deps, ctx: Context, client: RegisteredClient, secret: str) -> None:
    """Raises InvalidClient unless the secret is one of the client's that have not expired."""
    if not secret or len(secret) > MAX_SECRET:
        raise InvalidClient("the client secret is wrong")
    encoded = secret.encode("utf-8", "surrogatepass")
    mac = hashlib.blake2b(encoded, key=_process_key(), digest_size=32).hexdigest()
    key = (ctx.app_id, "secret", client.client_id, mac)
    now = clock.now()
    hashes = {
        row["id"]: row["hash"]
        for row in client.secrets
        if row["expires"] is None or float(row["expires"]) > now
    }
    if key in deps.caches.secrets and deps.caches.secrets.get(key) in hashes:
        return

    async def verify() -> str:
        for id, stored in hashes.items():
            if await deps.pool.run(ctx.app_id, partial(matches, secret, stored)):
                return str(id)
        raise InvalidClient("the client secret is wrong")

    # Requests with the same secret at the same time share one verification.
    tags = [("client", client.client_id)]
    if await deps.caches.secrets.fetch(key, verify, tags=lambda _: tags) not in hashes:
        deps.caches.secrets.drop(ctx.app_id, "client", client.client_id)
        raise InvalidClient("the client secret is wrong")


@cache
def _process_key() -> bytes:
    """Returns the key of the MACs of verified secrets in the cache. No other process has it: it is made at
    the first use, not with the module, since processes are forked from one that has imported it."""
    return secrets.token_bytes(32)


def hash_secret(secret: str) -> str:
    """Returns the PBKDF2-SHA-256 hash to store. It is slow: call it in a thread."""
    salt = secrets.token_bytes(16)
    digest = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ITERATIONS)
    return f"pbkdf2-sha256${ITERATIONS}${b64url(salt)}${b64url(digest)}"


def matches(secret: str, stored: str) -> bool:
    """Returns whether a stored hash is that of the secret. It is slow: call it in a thread."""
    _, iterations, salt, digest = stored.split("$")
    encoded = secret.encode("utf-8", "surrogatepass")
    computed = hashlib.pbkdf2_hmac("sha256", encoded, unb64(salt), int(iterations))
    return hmac.compare_digest(computed, unb64(digest))
