"""Generates and stores client secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

import asyncpg

from common.context import Context
from common.contracts.client_secrets import ClientSecretExists
from common.crypto import token
from common.db import Db
from common.ids import new_id
from oidc import client_secret_check
from oidc.deps import Deps
from oidc.queries import client_secrets
from oidc.queries.client_secrets import SecretRow

METHODS: Final = (None, "client_secret_basic", "client_secret_post", "client_secret_jwt")
"""Methods of client authentication that need a secret. None stands for the default methods."""


@dataclass(frozen=True, slots=True)
class GeneratedSecret:
    """A secret, which is returned once, and the hash to store."""

    text: str = field(repr=False)
    hash: str = field(repr=False)


async def generate(deps: Deps, ctx: Context) -> GeneratedSecret:
    """Generates a secret and its hash, before a transaction begins: the hash is slow."""
    secret = token("cs_")
    hash = await deps.pool.run(ctx.app_id, partial(client_secret_check.hash_secret, secret))
    return GeneratedSecret(secret, hash)


async def insert(
    deps: Deps,
    tx: Db,
    ctx: Context,
    secret: GeneratedSecret,
    *,
    id: str | None = None,
    client_id: str,
    auth_method: str | None,
) -> SecretRow:
    """Stores a secret's hash. `id` is a new one by default.

    Only `client_secret_jwt` needs the secret itself, to verify HMACs. For it the secret is stored
    encrypted too. Raises ClientSecretExists if the application has a secret with this id.
    """
    id, sealed = id or new_id(), None
    if auth_method == "client_secret_jwt":
        place = ("oauth_client_secrets", "secret_sealed", id)
        sealed = await deps.sealer.seal(tx, ctx.app_id, place, secret.text.encode())
    try:
        return await client_secrets.insert(
            tx,
            app_id=ctx.app_id,
            id=id,
            client_id=client_id,
            hash=secret.hash,
            hint=secret.text[-4:],
            sealed=sealed,
        )
    except asyncpg.UniqueViolationError:
        raise ClientSecretExists from None
