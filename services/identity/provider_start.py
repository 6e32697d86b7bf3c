"""The start of a sign-in with a provider."""

from __future__ import annotations

import asyncpg

from common.context import Context
from common.contracts.identity_providers import ProviderNotFound
from common.contracts.provider_sign_in import (
    ProviderAway,
    ProviderRedirect,
    StartProviderLink,
    StartProviderSignIn,
    StartProviderStepUp,
)
from common.contracts.sessions import NoSession
from common.contracts.sign_in import MethodOff
from common.contracts.tenants import Tenant
from identity import identity_linking, provider_failures, provider_states
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.limits import PROVIDER_BY_IP
from identity.provider_states import SignInPlan
from identity.providers.failures import ProviderFailed
from identity.queries import identity_providers
from identity.queries.identity_providers import Provider


async def start_sign_in(deps: Deps, ctx: Context, request: StartProviderSignIn) -> ProviderRedirect:
    """Starts a sign-in. Raises MethodOff, ProviderNotFound, ProviderAway, RateLimited."""
    plan = SignInPlan(
        purpose="sign_in",
        browser=request.browser,
        destination=request.destination,
        remember=request.remember,
        invitation=request.invitation,
        choose_account=request.choose_account,
        login_hint=request.login_hint,
        locale=request.locale,
    )
    return await _start(deps, ctx, request.idp, plan)


async def start_link(deps: Deps, ctx: Context, request: StartProviderLink) -> ProviderRedirect:
    """Starts to connect an account to the calling user. Raises TooManyIdentities, MethodOff,
    ProviderNotFound, ProviderAway, RateLimited."""
    user_id = the_user(ctx)
    async with deps.db.reader(ctx) as db:
        await identity_linking.check_number(ctx, db, user_id)
    plan = SignInPlan(
        purpose="link",
        browser=request.browser,
        destination=request.destination,
        user_id=user_id,
        session_id=ctx.caller.session_id,
        choose_account=True,
        locale=request.locale,
    )
    return await _start(deps, ctx, request.idp, plan)


async def start_step_up(deps: Deps, ctx: Context, request: StartProviderStepUp) -> ProviderRedirect:
    """Starts to confirm who the calling user is. Raises MethodOff, ProviderNotFound,
    ProviderAway, RateLimited."""
    plan = SignInPlan(
        purpose="step_up",
        browser=request.browser,
        destination=request.destination,
        user_id=the_user(ctx),
        session_id=ctx.caller.session_id,
        locale=request.locale,
    )
    return await _start(deps, ctx, request.idp, plan)


async def _start(deps: Deps, ctx: Context, name: str, plan: SignInPlan) -> ProviderRedirect:
    tenant = await deps.tenants.get(ctx)
    provider = await _enabled(deps, ctx, tenant, name)
    await deps.limits.count(ctx, (PROVIDER_BY_IP, ctx.ip))
    try:
        return await provider_states.start(deps, ctx, tenant, provider=provider, plan=plan)
    except asyncpg.ForeignKeyViolationError:
        raise NoSession from None  # the user was deleted in the meantime
    except ProviderFailed as error:
        await provider_failures.record(
            deps,
            ctx,
            provider=provider.name,
            purpose=plan.purpose,
            step=error.step,
            detail=error.detail,
            user_id=plan.user_id,
        )
        raise ProviderAway from None


async def _enabled(deps: Deps, ctx: Context, tenant: Tenant, name: str) -> Provider:
    if "oauth" not in tenant.settings.auth_methods:
        raise MethodOff
    async with deps.db.reader(ctx) as db:
        provider = await identity_providers.by_name(db, app_id=ctx.app_id, name=name)
    if provider is None or not provider.enabled:
        raise ProviderNotFound
    return provider
