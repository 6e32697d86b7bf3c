"""The token of a session that a form starts. It follows from the form, so that a form that is posted
twice leads to one session."""

from __future__ import annotations

from common.context import Context
from common.crypto import b64url
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps


def of_result(deps: Deps, ctx: Context, result: AuthenticationResult) -> str | None:
    """Returns the token for this sign-in, or None if it has no key."""
    if result.idempotency_key is None or result.browser is None:
        return None
    return of_form(deps, ctx, result.browser, remember=result.remember, key=result.idempotency_key)


def of_form(deps: Deps, ctx: Context, browser: str, *, remember: bool, key: str) -> str:
    """Returns the token for a form that this browser posts with this key."""
    facts = "\n".join((ctx.app_id, browser, str(remember), key))
    return b64url(deps.keys.digest("session-of-form", facts.encode()))
