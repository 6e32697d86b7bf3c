"""The key under which a request creates one thing, also if it is sent twice."""

from __future__ import annotations

from common.context import Context


def request_key(ctx: Context, request_id: str | None) -> str | None:
    """Returns the key of the request, or None without an id. No other caller has the same key."""
    if request_id is None:
        return None
    return f"{ctx.caller.kind}/{ctx.caller.id}/{request_id}"
