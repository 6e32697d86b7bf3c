"""Announcements of changed providers: the gateway keeps the buttons of the sign-in page in a cache."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from common.context import Context
from identity.deps import Deps

ChangeHandler = Callable[[Deps, Context, Any], Awaitable[Any]]
NOUN = "identity_provider"


def announced(handler: ChangeHandler) -> ChangeHandler:
    """Returns the handler of a change. After the change, every cache forgets the application's list of
    providers."""

    @wraps(handler)
    async def announcing(deps: Deps, ctx: Context, request: Any) -> Any:
        reply = await handler(deps, ctx, request)
        await deps.invalidation.publish(ctx, NOUN)
        return reply

    return announcing
