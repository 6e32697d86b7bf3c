"""Fetches the key sets at clients' `jwks_uri`, for all replicas together.

Anybody can send an assertion with an unrow `kid`, and each could make us call the client's server. So one replica fetches
in each window, and the others read what it has found.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from common import logs
from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from common.outgoing_http import Unreachable
from oidc.deps import Deps
from oidc.queries import client_key_sets

log = logs.get(__name__)

DEADLINE: Final = 2.0
"""Seconds: less than the gateway's time limit, so that the client gets our error."""
MAX_BYTES: Final = 65_536
"""Of a JWK Set, registered or fetched."""
WINDOW: Final = 20.0
"""Seconds between two requests to the address of a client. A new key is known after this time at the latest."""
POLL: Final = 0.1
NOT_FETCHED: Final = "the keys at the client's jwks_uri could not be fetched"


async def current(deps: Deps, ctx: Context, client_id: str, uri: str) -> dict[str, Any]:
    """Returns the client's key set: a new one if the window permits, else the one that was fetched last. Raises
    InvalidClient if there is none."""
    give_up = asyncio.get_running_loop().time() + DEADLINE
    while True:
        async with deps.db.autocommit(ctx) as db:
            row = await client_key_sets.claim(
                db, app_id=ctx.app_id, client_id=client_id, window=WINDOW
            )
        if row is not None and row.claimed:
            return await _fetch(deps, ctx, client_id, uri)
        if row is not None and row.jwks:
            return row.jwks
        # None: another replica makes the first request just now.
        if row is None or row.jwks is not None or asyncio.get_running_loop().time() > give_up:
            raise InvalidClient(NOT_FETCHED)
        await asyncio.sleep(POLL)


async def _fetch(deps: Deps, ctx: Context, client_id: str, uri: str) -> dict[str, Any]:
    """Fetches and stores a JWK Set. Raises InvalidClient, and then the stored set stays."""
    of_client = {"app_id": ctx.app_id, "client_id": client_id}
    jwks, why = await _answer(deps, uri)
    async with deps.db.autocommit(ctx) as db:
        if jwks is None:
            await client_key_sets.store_failure(db, **of_client)
        else:
            await client_key_sets.store(db, **of_client, uri=uri, jwks=jwks)
    if jwks is None:
        log.info("jwks_uri not fetched", why=why)
        raise InvalidClient(NOT_FETCHED)
    return jwks


async def _answer(deps: Deps, uri: str) -> tuple[dict[str, Any] | None, str]:
    """Returns the JWK Set of an address, or None and the reason."""
    try:
        response = await deps.http.request("GET", uri, deadline=DEADLINE)
        usable = response.status == 200 and len(response.body) <= MAX_BYTES
        jwks = response.json() if usable else None
    except (Unreachable, ValueError) as error:
        return None, str(error)
    if not isinstance(jwks, dict) or "\\u0000" in response.body.decode("utf-8", "replace"):
        return None, f"status {response.status}, too long, or not a JSON object"
    return jwks, ""
