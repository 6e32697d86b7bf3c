"""Checks of the caller, for calls that only a user of this application may make."""

from __future__ import annotations

from common.context import Context
from common.problems import Forbidden


def the_user(ctx: Context) -> str:
    """Returns the id of the calling user. A developer who acts in another application is not a user
    of it. Raises Forbidden."""
    user_id = ctx.caller.user_id
    if user_id is None:
        raise Forbidden("only a user of this application may do this")
    return user_id
