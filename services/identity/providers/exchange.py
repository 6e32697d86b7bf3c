"""Exchanges an authorization code for the account of the user at the provider."""

from __future__ import annotations

from typing import Any

from common.context import Context
from identity.deps import Deps
from identity.providers.account import ProviderAccount, ProviderTokens
from identity.providers.metadata import ProviderMetadata
from identity.queries.identity_providers import Provider


def check_issuer(provider: Provider, metadata: ProviderMetadata, iss: str | None) -> None:
    """Checks the `iss` of an authorization response (RFC 9207 section 2.4). Raises ProviderFailed with
    the step `issuer`.

    Call it before `error` or `code` of the response is used.
    """
    raise NotImplementedError


async def provider_account(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    *,
    code: str,
    code_verifier: str,
    nonce: str,
    redirect_uri: str,
    posted_user: dict[str, Any] | None = None,
    max_age: int | None = None,
) -> ProviderAccount:
    """Returns the account that the code stands for. Raises ProviderFailed.

    `posted_user` is the JSON object `user` that Apple posts once. `max_age` is the value in the
    authorization request: an older `auth_time` is refused. No database connection is held while the
    provider is called.
    """
    raise NotImplementedError


async def refreshed_tokens(
    deps: Deps, ctx: Context, provider: Provider, *, refresh_token: str
) -> ProviderTokens:
    """Returns new tokens for a refresh token (RFC 6749 section 6). Raises ProviderFailed.

    The tokens have the old refresh token if the provider sends no new one.
    """
    raise NotImplementedError
