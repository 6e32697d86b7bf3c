"""The end of a sign-in with a provider: the state, the provider's response, and whose account it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson

from common.context import Context
from common.contracts.base import Done
from common.contracts.provider_sign_in import (
    Failure,
    FinishProviderSignIn,
    KeepFormPost,
    ProviderOutcome,
    ProviderResponseSpent,
)
from common.contracts.tenants import Tenant
from identity import guests, provider_failures, provider_links, provider_resolution, provider_states
from identity.deps import Deps
from identity.limits import PROVIDER_BY_IP
from identity.provider_failures import SignInEnded
from identity.provider_flow import SignInFlow
from identity.provider_settlement import settled
from identity.provider_states import SignInState
from identity.providers.account import ProviderAccount
from identity.providers.exchange import check_issuer, provider_account
from identity.providers.failures import ProviderFailed
from identity.providers.metadata import provider_metadata
from identity.queries import identity_providers
from identity.queries.identity_providers import Provider

CANCELLED: Final = {"access_denied", "user_cancelled_login", "user_cancelled_authorize"}
"""Errors of a user who changed their mind (RFC 6749 section 4.1.2.1); two are particular to some
providers."""


async def store_response(deps: Deps, ctx: Context, request: KeepFormPost) -> Done:
    """Keeps a posted response until the browser comes back with its cookies. Raises
    ProviderResponseSpent, RateLimited."""
    await deps.limits.count(ctx, (PROVIDER_BY_IP, ctx.ip))
    provider = await _provider(deps, ctx, request.idp)
    if provider is None or not await provider_states.store_response(
        deps, ctx, provider, state=request.state, response=request.response
    ):
        raise ProviderResponseSpent
    return Done()


async def finish(deps: Deps, ctx: Context, request: FinishProviderSignIn) -> ProviderOutcome:
    """Finishes a sign-in, a link or a confirmation. Each failure is an outcome for the user, and an audit
    event that says exactly what was wrong. Raises RateLimited."""
    await deps.limits.count(ctx, (PROVIDER_BY_IP, ctx.ip))
    tenant, provider = await deps.tenants.get(ctx), await _provider(deps, ctx, request.idp)
    if provider is None:
        return await _failed(deps, ctx, request, SignInEnded("provider_off", "provider", "unknown"))
    state: SignInState | None = None
    try:
        if not request.state:
            sent = " ".join((request.response.get("error", "nothing"), "without a state"))
            raise SignInEnded("over", "state", ProviderFailed("response", sent).detail)
        state = await provider_states.consume(
            deps, ctx, provider, state=request.state, browser=request.browser
        )
        return await _finish(deps, ctx, tenant, provider=provider, request=request, state=state)
    except SignInEnded as ended:
        return await _failed(deps, ctx, request, ended, provider=provider, state=state)
    except ProviderFailed as failed:
        why = SignInEnded("provider_failed", failed.step, failed.detail)
        return await _failed(deps, ctx, request, why, provider=provider, state=state)


async def _provider(deps: Deps, ctx: Context, name: str) -> Provider | None:
    async with deps.db.reader(ctx) as db:
        return await identity_providers.by_name(db, app_id=ctx.app_id, name=name)


async def _failed(
    deps: Deps,
    ctx: Context,
    request: FinishProviderSignIn,
    ended: SignInEnded,
    *,
    provider: Provider | None = None,
    state: SignInState | None = None,
) -> ProviderOutcome:
    await provider_failures.record(
        deps,
        ctx,
        provider=provider.name if provider else request.idp,
        purpose=state.row.purpose if state else "unknown",
        step=ended.step,
        detail=ended.detail,
        user_id=state.row.link_user_id if state else None,
    )
    destination = state.row.destination if state else "/account"
    return provider_failures.outcome(ended, provider, destination)


async def _finish(
    deps: Deps,
    ctx: Context,
    tenant: Tenant,
    *,
    provider: Provider,
    request: FinishProviderSignIn,
    state: SignInState,
) -> ProviderOutcome:
    if "oauth" not in tenant.settings.auth_methods or not provider.enabled:
        raise SignInEnded("provider_off", "provider", "switched off")
    response = state.response if state.response is not None else request.response
    account = await _account(deps, ctx, provider, response=response, state=state)
    flow = SignInFlow(
        tenant=tenant,
        provider=provider,
        account=account,
        destination=state.row.destination,
        browser=request.browser,
        devices=request.devices,
        remember=bool(state.row.payload["remember"]),
        invitation=state.invitation,
        locale=state.row.payload["locale"],
    )
    if state.row.purpose == "sign_in":
        guest, ctx = guests.split(ctx)
        flow = replace(flow, guest=guest)
        if flow.verified_email:
            flow = await provider_resolution.with_admission(deps, ctx, flow, flow.verified_email)
        return await settled(deps, ctx, flow, provider_resolution.resolve)
    return await provider_links.finish(deps, ctx, flow, state)


async def _account(
    deps: Deps, ctx: Context, provider: Provider, *, response: dict[str, str], state: SignInState
) -> ProviderAccount:
    """Returns the account that the provider's response stands for. Raises SignInEnded,
    ProviderFailed."""
    metadata = await provider_metadata(deps, ctx, provider)
    check_issuer(provider, metadata, response.get("iss"))
    if error := response.get("error"):
        failure: Failure = "cancelled" if error in CANCELLED else "provider_failed"
        reason = ProviderFailed("response", f"{error} {response.get('error_description', '')}")
        raise SignInEnded(failure, reason.step, reason.detail.strip())
    if not (code := response.get("code")):
        raise SignInEnded("over", "response", "no code and no error")
    return await provider_account(
        deps,
        ctx,
        provider,
        code=code,
        code_verifier=state.verifier,
        nonce=state.row.nonce,
        redirect_uri=state.redirect_uri,
        posted_user=_posted_user(response.get("user")),
        max_age=state.max_age,
    )


def _posted_user(text: str | None) -> dict[str, Any] | None:
    """Returns the JSON object that Apple posts with a user's first sign-in. It is unsigned."""
    try:
        parsed = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None
