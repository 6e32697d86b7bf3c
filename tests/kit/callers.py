"""Callers that tests act as, and what their requests carry."""

from __future__ import annotations

import time
from typing import Any

from common import freshness
from common.context import Caller, Context
from common.contracts.sessions import SignedInSession
from common.ids import new_id
from common.second_factor_rules import to_ask
from common.testing import context

ADMIN = Caller("secret_key", "01900000-0000-7000-8000-000000000001", frozenset({"*"}))
"""A secret key: it has every permission of its application."""
PASSWORD = "correct horse battery staple"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)

DEVELOPER = frozenset(
    {"apps:create", "apps:read", "apps:write", "apps:delete", "apps:transfer", "users:read"}
)
OPERATOR = DEVELOPER | {"apps:read:all", "apps:write:all", "platform:manage"}
MEMBER = frozenset({"apps:read", "teams:read", "profile:read", "profile:write"})


def as_user(signed: SignedInSession, **more: Any) -> Caller:
    """Returns the caller that the gateway makes of a session."""
    session = signed.full()
    two_factors = bool(to_ask("optional", session.second_factors))
    proven_at = freshness.proven_at(
        session.factor_times, session.auth_time, two_factors=two_factors
    )
    facts = {"proven_at": proven_at, "two_factors": two_factors, **more}
    return Caller(kind="user", id=session.user_id, session_id=session.id, **facts)


def now() -> int:
    """Returns the time in epoch seconds, as callers have it."""
    return int(time.time())


def secret_key_of(app_id: str) -> Context:
    """Returns the context of a request with a secret key of the application."""
    return context(app_id, Caller("secret_key", new_id(), frozenset({"*"})))
