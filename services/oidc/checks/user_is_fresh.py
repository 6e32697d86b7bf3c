"""OpenID Connect Core section 3.1.2.1: `prompt=login` and `max_age`. Once the person was sent to
sign in again, only a sign-in after that moment counts."""

from __future__ import annotations

import time

from common.context import Context
from common.contracts.oidc import Authorization, LoginRequired
from oidc import prompts
from oidc.deps import Deps
from oidc.request import Asked


async def user_is_fresh(deps: Deps, ctx: Context, asked: Asked) -> Authorization | None:
    assert asked.session is not None
    if _judged_before(asked):
        return None
    since = asked.pending.authenticated_after if asked.pending else None
    if since is not None:
        fresh = asked.session.auth_time >= since
    else:
        fresh = "login" not in asked.prompts and not _too_old(asked)
    if fresh:
        return None
    if asked.silent:
        raise LoginRequired("the person has to sign in again")
    return await prompts.sign_in(deps, ctx, asked, afresh=since is None)


def _judged_before(asked: Asked) -> bool:
    """This session was new enough when its consent page was shown: reading it takes time."""
    assert asked.session is not None
    pending = asked.pending
    same = pending is not None and pending.session_id == asked.session.session_id
    return same and asked.prompted("consent")


def _too_old(asked: Asked) -> bool:
    assert asked.session is not None
    if asked.max_age is None:
        return False
    return asked.max_age == 0 or asked.session.auth_time.timestamp() + asked.max_age < time.time()
