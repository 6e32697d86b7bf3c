"""Calls the token endpoint of a provider (RFC 6749 sections 4.1.3 and 6)."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import Any, Final

from common import clock
from common.context import Context
from identity.deps import Deps
from identity.providers import calls
from identity.providers.account import ProviderTokens
from identity.providers.client_secret import client_credentials
from identity.providers.failures import ProviderFailed
from identity.queries.identity_providers import Provider

LONGEST: Final = 20_000
"""Characters of a token."""
MAX_SCOPES: Final = 100
YEAR: Final = 31_536_000
"""Seconds. A longer life of an access token is cut to this."""
_ERROR: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class TokenRefused(ProviderFailed):
    """The token endpoint answered with an error. `error` is its code (RFC 6749 section 5.2), or
    empty."""

    def __init__(self, error: str, status: int) -> None:
        super().__init__("token", f"the token endpoint answered {status} {error}".rstrip())
        self.error, self.status = error, status


async def token_answer(
    deps: Deps, ctx: Context, provider: Provider, *, url: str, fields: dict[str, str]
) -> dict[str, Any]:
    """Sends a token request with our credentials and returns the answer. Raises ProviderFailed.

    Some providers send errors with status 200. The texts of errors stay here: they could repeat the
    code or the secret.
    """
    credentials = await client_credentials(deps, ctx, provider)
    body = fields | credentials.fields
    as_json = calls.options_of(provider).json_token_call
    content: dict[str, Any] = {"json": body} if as_json else {"data": body}
    answer = await calls.call(
        deps,
        ctx,
        provider,
        "token",
        url=url,
        method="POST",
        headers=credentials.headers,
        **content,
    )
    try:
        value = calls.json_object("token", url, calls.parsed("token", url, answer))
    except ProviderFailed:
        if answer.status == 200:
            raise
        raise TokenRefused("", answer.status) from None
    error = value.get("error")
    if answer.status not in (200, 201) or error is not None or value.get("ok") is False:
        known = isinstance(error, str) and _ERROR.fullmatch(error)
        raise TokenRefused(str(error) if known else "", answer.status)
    return value


def tokens_of(value: dict[str, Any], *, refresh: str | None = None) -> ProviderTokens:
    """Returns the tokens of an answer, with the earlier refresh token if there is no new one. Raises
    ProviderFailed."""
    access, renewed = value.get("access_token"), value.get("refresh_token")
    kind = value.get("token_type", "bearer")
    if not _is_token(access) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProviderFailed("token", "the token answer has no bearer token")
    return ProviderTokens(
        access=str(access),
        refresh=str(renewed) if _is_token(renewed) else refresh,
        expires_at=_expiry(value.get("expires_in")),
        scopes=_scopes(value.get("scope")),
    )


def _is_token(value: object) -> bool:
    """Returns whether a value can be sent in a header (RFC 6750 section 2.1, and a little more)."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST
        and value.isascii()
        and value.isprintable()
    )


def _expiry(value: object) -> datetime | None:
    """Returns when the access token expires. Some providers send the seconds as a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return clock.utc_now() + timedelta(seconds=min(max(value, 0), YEAR))


def _scopes(value: object) -> tuple[str, ...]:
    """Returns the granted scopes. GitHub separates them by commas, Twitch sends a list."""
    names = value if isinstance(value, list) else str(value or "").replace(",", " ").split()
    kept = [name for name in names if isinstance(name, str) and 0 < len(name) <= 200]
    return tuple(name for name in kept if name.isprintable())[:MAX_SCOPES]
