"""Tests an identity provider as its administrator asks, and reports each step in words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from common.context import Context
from common.contracts.identity_providers import (
    CheckIdentityProvider,
    ProviderCheck,
    ProviderReport,
)
from common.crypto import token
from identity import identity_providers
from identity.deps import Deps
from identity.limits import PROVIDER_CHECK_BY_APP, PROVIDER_CHECK_BY_CALLER
from identity.providers import documents, metadata, token_call
from identity.providers.failures import ProviderFailed
from identity.providers.keys import keys_source
from identity.providers.metadata import ProviderMetadata
from identity.providers.token_call import TokenRefused
from identity.queries.identity_providers import Provider

Step = Literal["discovery", "keys", "token"]
FOR_REPLY: Final = 1.0
"""Seconds before the deadline in which the test ends, so that its caller learns which step failed."""
SLOW: Final = "the provider did not answer in time"
WRONG_CODE: Final = frozenset(
    {"invalid_grant", "bad_verification_code", "invalid_code", "invalid_request", ""}
)
"""Errors of a token endpoint that accepted our credentials and refused the code. Some providers have
codes of their own, or none."""
WRONG_CLIENT: Final = frozenset(
    {"invalid_client", "incorrect_client_credentials", "unauthorized_client", "bad_client_secret"}
)


async def check(deps: Deps, ctx: Context, request: CheckIdentityProvider) -> ProviderReport:
    """Calls the provider step by step. Nothing is signed in."""
    provider = await identity_providers.find(deps, ctx, request.provider)
    await deps.limits.count(
        ctx, (PROVIDER_CHECK_BY_CALLER, ctx.caller.id), (PROVIDER_CHECK_BY_APP, ctx.app_id)
    )
    steps: list[ProviderCheck] = []

    async def passes(step: Step, work: Callable[[], Awaitable[str]]) -> bool:
        try:
            async with asyncio.timeout(ctx.remaining() - FOR_REPLY):
                detail = await work()
            steps.append(ProviderCheck(step=step, passed=True, detail=detail))
        except TimeoutError:
            steps.append(ProviderCheck(step=step, passed=False, detail=SLOW))
        except ProviderFailed as error:
            steps.append(ProviderCheck(step=step, passed=False, detail=error.detail))
        return steps[-1].passed

    endpoints: list[ProviderMetadata] = []

    async def discovery() -> str:
        endpoints.append(await _endpoints(deps, ctx, provider))
        return f"The token endpoint is {endpoints[0].token_endpoint}."

    passed = await passes("discovery", discovery)
    if passed and provider.type == "oidc":
        passed = await passes("keys", lambda: _keys(deps, ctx, provider, endpoints[0]))
    if passed:
        passed = await passes("token", lambda: _token(deps, ctx, provider, endpoints[0]))
    return ProviderReport(passed=passed, steps=steps)


async def _endpoints(deps: Deps, ctx: Context, provider: Provider) -> ProviderMetadata:
    """Fetches the discovery document, however new the stored one is."""
    if not metadata.needs_discovery(provider):
        return metadata.from_document(provider, {})
    source = metadata.discovery_source(deps, provider)
    await documents.claimed(deps, ctx, provider, source, pause=0)
    return metadata.from_document(provider, await documents.fetch(deps, ctx, provider, source))


async def _keys(deps: Deps, ctx: Context, provider: Provider, endpoints: ProviderMetadata) -> str:
    if endpoints.jwks_uri is None:
        raise ProviderFailed("keys", "the provider names no jwks_uri")
    source = keys_source(endpoints.jwks_uri)
    await documents.claimed(deps, ctx, provider, source, pause=0)
    stored = await documents.fetch(deps, ctx, provider, source)
    count = len(stored["keys"])
    return f"The provider publishes {count} signature {'key' if count == 1 else 'keys'}."


async def _token(deps: Deps, ctx: Context, provider: Provider, endpoints: ProviderMetadata) -> str:
    """Sends a code that no provider issued. The right answer is an error about the code."""
    fields = {
        "grant_type": "authorization_code",
        "code": token(),
        "redirect_uri": f"{ctx.origin}/rp/callback/{provider.name}",
    }
    if provider.pkce:
        fields["code_verifier"] = token()
    url = endpoints.token_endpoint
    try:
        await token_call.token_answer(deps, ctx, provider, url=url, fields=fields)
    except TokenRefused as error:
        if error.error in WRONG_CLIENT or error.status == 401:
            raise ProviderFailed(
                "token", f"{error.detail}: the client id or the client secret is not accepted"
            ) from None
        if error.error not in WRONG_CODE:
            raise
        return "The provider accepts the client and refuses a wrong code, as it should."
    raise ProviderFailed("token", "the token endpoint accepted a code that nobody issued")
