"""A form that was posted twice begins one session.

The session's token follows from the browser and a key: the form's own for a password, the code or
the link where one was mailed. The second post finds the session of the first and answers with the
same token, also if another replica, with another active master key, has answered the first one. The
database still has its hash only.
"""

from __future__ import annotations

import asyncio
from typing import Final

from common.context import Context
from common.contracts.sessions import Session, SignedInSession
from common.crypto import token
from common.db import Db
from common.earlier_commits import wait_for_earlier_commits
from identity import form_token, half_sessions
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.form_token import FormTokens
from identity.queries import sessions

LOOKS: Final = 5
PAUSE: Final = 0.1
"""Seconds between two looks."""


async def session_token(
    deps: Deps,
    ctx: Context,
    tx: Db,
    *,
    user_id: str,
    result: AuthenticationResult,
) -> tuple[str, Session | None]:
    """Returns the token for the session that begins, and the session itself if the same form began
    it within the last minute. The token is random without a key, or if an older session has it. The
    caller has changed the user's row: two posts come one after the other, and the commit of each
    waits for those before it."""
    tokens = form_token.of_result(deps, ctx, result)
    if tokens is None:
        return token(), None
    earlier = await _by_token(ctx, tx, tokens)
    if earlier is None:
        return tokens.own, None
    if earlier.recent and earlier.user_id == user_id:
        return tokens.stored_as(earlier.token_hash), earlier.session()
    return token(), None


async def repeated(
    deps: Deps, ctx: Context, *, browser: str | None, remember: bool, key: str
) -> SignedInSession | None:
    """Returns the session that this code or link began in this browser within the last minute. The
    post that took it may be about to commit, so a missing session is looked for again."""
    if browser is None:
        return None
    tokens = form_token.of_form(deps, ctx, browser, remember=remember, key=key)
    for attempt in range(LOOKS):
        async with deps.db.transaction(ctx) as tx:
            earlier = await _by_token(ctx, tx, tokens)
            half = await half_sessions.of_form(ctx, tx, tokens)
            if half is not None or earlier is not None:
                await wait_for_earlier_commits(tx)
        if half is not None:
            return half
        if earlier is not None:
            value = tokens.stored_as(earlier.token_hash)
            found = SignedInSession(token=value, session=earlier.session())
            return found if earlier.recent else None
        if attempt < LOOKS - 1:
            await asyncio.sleep(PAUSE)
    return None


async def _by_token(ctx: Context, db: Db, tokens: FormTokens) -> sessions.SessionWithToken | None:
    return await sessions.get_by_token(db, app_id=ctx.app_id, token_hashes=tokens.hashes("session"))
