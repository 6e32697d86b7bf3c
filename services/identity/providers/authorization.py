"""The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1)."""

from __future__ import annotations

from common.context import Context
from identity.deps import Deps
from identity.queries.identity_providers import Provider


async def authorization_url(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    *,
    state: str,
    nonce: str,
    code_challenge: str,
    redirect_uri: str,
    login_hint: str | None = None,
    prompt: str | None = None,
    max_age: int | None = None,
    ui_locales: str | None = None,
) -> str:
    """Returns the URL at the provider to which the browser is sent.

    `code_challenge` is the S256 challenge (RFC 7636). What the provider does not support is left out.
    Raises ProviderFailed.
    """
    raise NotImplementedError
