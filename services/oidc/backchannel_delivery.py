"""Delivers logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.5).

The queue is in the database. A failed delivery is repeated a few times. Deliveries of a batch run
at the same time, so a slow client does not delay the others.
"""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import JsonValue

from common import clock, logs
from common.context import Context, system_context
from common.contracts.logout import LogoutFailure
from common.crypto import token
from common.outgoing_http import Unreachable
from common.periodic import FAULTS
from common.problems import Problem
from oidc import jose, keys, redirect_uris
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.queries import logout_deliveries
from oidc.queries.logout_deliveries import LogoutDelivery

log = logs.get(__name__)

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LIFETIME: Final = 120
"""Seconds that a logout token is valid (section 2.4: at most two minutes)."""
ATTEMPTS: Final = 6
BATCH: Final = 20
"""Deliveries at the same time."""


async def work(deps: Deps) -> bool:
    """Delivers a batch. Returns whether there may be more to deliver."""
    return await deliver_due(deps) == BATCH


async def deliver_due(deps: Deps) -> int:
    """Delivers a batch of the logout tokens that are due. Returns their number."""
    async with deps.logout_db.unbound_autocommit() as db:
        deliveries = await logout_deliveries.claim_due(db, limit=BATCH)
    await asyncio.gather(*(_deliver(deps, delivery) for delivery in deliveries))
    return len(deliveries)


async def _deliver(deps: Deps, delivery: LogoutDelivery) -> None:
    ctx = system_context(delivery.app_id, within=20, home=deps.db.home)
    try:
        logout_token = await _logout_token(deps, ctx, delivery)
        data = {"logout_token": logout_token}
        response = await deps.http.request("POST", delivery.uri, data=data)
        error = None if response.status in (200, 204) else f"status {response.status}"
    except (Unreachable, Problem) as problem:
        error = str(problem)
    except FAULTS:
        raise
    except Exception as unexpected:
        # An error in one delivery must not stop the others.
        log.exception("logout delivery", client=delivery.client_id)
        error = type(unexpected).__name__
    await _store_outcome(deps, ctx, delivery, error)
    if error is not None:
        _log(delivery, error)


async def _store_outcome(
    deps: Deps, ctx: Context, delivery: LogoutDelivery, error: str | None
) -> None:
    """Deletes the delivery if it succeeded or was the last attempt, and stores its outcome."""
    failure = None if error is None else _failure(delivery, error)
    async with deps.db.transaction(ctx) as tx:
        if failure is None or delivery.attempts >= ATTEMPTS:
            await logout_deliveries.delete(tx, app_id=delivery.app_id, id=delivery.id)
        await logout_deliveries.record_failure(
            tx, app_id=delivery.app_id, client_id=delivery.client_id, failure=failure
        )


def _failure(delivery: LogoutDelivery, error: str) -> dict[str, JsonValue]:
    """Returns the failure as the client's developer sees it: they cannot read our log."""
    return LogoutFailure(
        error=error,
        attempt=delivery.attempts,
        max_attempts=ATTEMPTS,
        failed_at=clock.utc_now(),
        next_attempt_at=None if delivery.attempts >= ATTEMPTS else delivery.next_attempt_at,
    ).model_dump(mode="json")


def _log(delivery: LogoutDelivery, error: str) -> None:
    final = delivery.attempts >= ATTEMPTS
    log.info(
        "logout not delivered",
        app_id=delivery.app_id,
        client=delivery.client_id,
        host=redirect_uris.host(delivery.uri),
        why=error,
        attempt=delivery.attempts,
        of=ATTEMPTS,
        next_attempt=None if final else delivery.next_attempt_at.isoformat(timespec="seconds"),
    )


async def _logout_token(deps: Deps, ctx: Context, delivery: LogoutDelivery) -> str:
    """Returns a logout token (section 2.4). Without a nonce, nobody accepts it as an ID token."""
    client = await find_registered(deps, ctx, delivery.client_id)
    if client is None:
        raise Unreachable("the client was deleted")
    now = int(clock.now())
    claims = {
        "iss": delivery.issuer or (await deps.tenants.get(ctx)).origin,
        "aud": delivery.client_id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": token("", 16),
        "events": {EVENT: {}},
    }
    if delivery.subject is not None:
        claims["sub"] = delivery.subject
    if delivery.sid is not None:
        claims["sid"] = delivery.sid
    key = await keys.signing_key(deps, ctx, client.id_token_alg)
    return key.sign(jose.LOGOUT_TOKEN, claims)
