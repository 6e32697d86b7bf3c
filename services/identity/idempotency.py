"""A password form that was posted twice begins one session.

The session's token follows from the form's key, the browser and the user, so that the second post
finds the session of the first and answers with the same token. The database still has its hash only.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.sessions import Session
from common.crypto import b64url, token
from common.db import Db
from identity.deps import Deps
from identity.queries import sessions


async def session_token(
    deps: Deps,
    ctx: Context,
    tx: Db,
    *,
    user_id: str,
    browser: str | None,
    remember: bool,
    key: str | None,
) -> tuple[str, Session | None]:
    """Returns the token for the session that begins, and the session itself if the same form began
    it within the last minute. The token is random without a key, or if an older session has it. The
    caller has locked the user's row, so that two posts come one after the other."""
    if key is None or browser is None:
        return token(), None
    facts = "\n".join((ctx.app_id, user_id, browser, str(remember), key))
    repeatable = b64url(deps.keys.digest("session-of-form", facts.encode()))
    earlier = await sessions.by_token(
        tx, app_id=ctx.app_id, token_hashes=deps.keys.hashes("session", repeatable)
    )
    if earlier is None:
        return repeatable, None
    if earlier.recent:
        return repeatable, earlier.session()
    return token(), None
