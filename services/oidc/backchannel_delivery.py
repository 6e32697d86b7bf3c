"""Delivers logout tokens (Back-Channel Logout 1.0 section 2.5): a queue in the database, bounded
retries, nobody waits for a slow client."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from pydantic import JsonValue

from common import logs
from common.context import Context, system_context
from common.contracts.clients import LogoutFailure
from common.crypto import token
from common.outgoing_http import Unreachable
from common.periodic import FAULTS
from common.problems import Problem
from oidc import keys, redirect_uris
from oidc.client_cache import registered
from oidc.deps import Deps
from oidc.queries import clients, logouts
from oidc.queries.logouts import Delivery

log = logs.get(__name__)

LOGOUT: Final = "logout+jwt"
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LIFETIME: Final = 120
"""Seconds (section 2.4: two minutes at most)."""
ATTEMPTS: Final = 6
BATCH: Final = 20


async def work(deps: Deps) -> bool:
    """One round of the worker: whether there is more."""
    return await round_(deps) == BATCH


async def round_(deps: Deps) -> int:
    async with deps.logout_db.everywhere() as db:
        due = await logouts.due(db, limit=BATCH)
    await asyncio.gather(*(_deliver(deps, one) for one in due))
    return len(due)


async def _deliver(deps: Deps, one: Delivery) -> None:
    ctx = system_context(one.app_id, within=20)
    try:
        sent = await _token(deps, ctx, one)
        answer = await deps.http.request("POST", one.uri, data={"logout_token": sent})
        problem = None if answer.status in (200, 204) else f"status {answer.status}"
    except (Unreachable, Problem) as error:
        problem = str(error)
    except FAULTS:
        raise
    except Exception as error:
        # One client's delivery must never be the end of everybody's.
        log.exception("logout delivery", client=one.client_id)
        problem = type(error).__name__
    failure = None if problem is None else _failure(one, problem)
    await _settle(deps, ctx, one, failure)
    if problem is not None:
        _log(one, problem)


async def _settle(
    deps: Deps, ctx: Context, one: Delivery, failure: dict[str, JsonValue] | None
) -> None:
    """Forgets what was delivered or given up, and writes to the client how it went."""
    async with deps.db.transaction(ctx) as tx:
        if failure is None or one.attempts >= ATTEMPTS:
            await logouts.forget(tx, app_id=one.app_id, id=one.id)
        await clients.record_logout_failure(
            tx, app_id=one.app_id, client_id=one.client_id, failure=failure
        )


def _failure(one: Delivery, problem: str) -> dict[str, JsonValue]:
    """For the client's developer, who has no access to our log."""
    return LogoutFailure(
        error=problem,
        attempt=one.attempts,
        max_attempts=ATTEMPTS,
        failed_at=datetime.now(UTC),
        next_attempt_at=None if one.attempts >= ATTEMPTS else one.next_attempt_at,
    ).model_dump(mode="json")


def _log(one: Delivery, problem: str) -> None:
    """Says the same to the operator."""
    final = one.attempts >= ATTEMPTS
    log.info(
        "logout not delivered",
        app_id=one.app_id,
        client=one.client_id,
        host=redirect_uris.host(one.uri),
        why=problem,
        attempt=one.attempts,
        of=ATTEMPTS,
        next_attempt=None if final else one.next_attempt_at.isoformat(timespec="seconds"),
    )


async def _token(deps: Deps, ctx: Context, one: Delivery) -> str:
    """Section 2.4: never a nonce, so that it cannot pass for an ID token."""
    client = await registered(deps, ctx, one.client_id)
    if client is None:
        raise Unreachable("the client is gone")
    now = int(time.time())
    claims = {
        "iss": one.issuer or (await deps.tenants.get(ctx)).origin,
        "aud": one.client_id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": token("", 16),
        "events": {EVENT: {}},
    }
    if one.subject is not None:
        claims["sub"] = one.subject
    if one.sid is not None:
        claims["sid"] = one.sid
    return (await keys.signing(deps, ctx, client.id_token_alg)).sign(LOGOUT, claims)
