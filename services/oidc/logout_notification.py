"""Tells the clients of a session that it has ended.

OpenID Connect Back-Channel Logout 1.0 and Front-Channel Logout 1.0.
"""

from __future__ import annotations

from urllib.parse import urlencode

from common.context import Context
from common.db import Db
from common.ids import new_id
from oidc import client_cache
from oidc.deps import Deps
from oidc.queries import logout_deliveries, session_clients, token_families
from oidc.queries.clients import RegisteredClient
from oidc.queries.session_clients import SessionClient
from oidc.subjects import subject


async def notify_clients(deps: Deps, ctx: Context, session_id: str) -> list[str]:
    """Revokes the session's online grants and queues a logout token for each client that wants one.

    Returns the front-channel addresses, which the browser has to load. Of several callers for one
    session, only the first one finds its clients.
    """
    notified: list[tuple[RegisteredClient, SessionClient]] = []
    async with deps.db.transaction(ctx) as tx:
        rows = await session_clients.delete_of_session(tx, app_id=ctx.app_id, session_id=session_id)
        for row in rows:
            client = await client_cache.find_registered_in(deps, tx, ctx, row.client_id)
            if client is not None:
                notified.append((client, row))
                await _queue_logout_token(deps, tx, ctx, client, row=row)
        family_ids = await token_families.revoke_online_of_session(
            tx, app_id=ctx.app_id, session_id=session_id
        )
    for family_id in family_ids:
        await deps.invalidate(ctx, "token", family_id)
    if rows:
        deps.deliveries.at(ctx.home).wake()
    return [
        _frontchannel_uri(client, row.issuer or ctx.origin, row.sid)
        for client, row in notified
        if client.frontchannel_logout_uri
    ]


async def _queue_logout_token(
    deps: Deps, tx: Db, ctx: Context, client: RegisteredClient, *, row: SessionClient
) -> None:
    if not client.backchannel_logout_uri:
        return
    await logout_deliveries.insert(
        tx,
        app_id=ctx.app_id,
        id=new_id(),
        client_id=client.client_id,
        user_id=row.user_id,
        issuer=row.issuer,
        subject=row.subject or (row.user_id and subject(deps.keys, client, row.user_id)),
        sid=row.sid,
        uri=client.backchannel_logout_uri,
    )


def _frontchannel_uri(client: RegisteredClient, issuer: str, sid: str) -> str:
    """Returns the address with `iss` and `sid`, which name the session (section 2)."""
    uri = client.frontchannel_logout_uri or ""
    joint = "&" if "?" in uri else "?"
    return uri + joint + urlencode({"iss": issuer, "sid": sid})
