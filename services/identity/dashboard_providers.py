"""Creates the Dashboard's identity providers that the operator configured, at each start."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from common import logs
from common.configured_providers import ConfiguredProvider
from common.context import Context, system_context, traced
from common.contracts.identity_providers import (
    CreateIdentityProvider,
    ProviderNameTaken,
    ProviderNotFound,
    UpdateIdentityProvider,
)
from common.ids import DASHBOARD
from common.periodic import FAULTS
from common.problems import Invalid
from common.sealing import Unsealable
from identity import identity_providers
from identity.deps import Deps
from identity.provider_rules import OF_ONE_SERVER
from identity.providers.client_secret import secret_place
from identity.providers.presets import PRESETS
from identity.queries.identity_providers import Provider

log = logs.get(__name__)

WITHIN: Final = 15.0
"""Seconds for one round."""
PAUSE: Final = 1.0
"""Seconds between two attempts, while another service or the Dashboard itself is not there yet."""
NOT_OURS: Final = "another provider has this name, or its servers were changed"


async def ensure_and_wait(
    deps: Deps, providers: Sequence[ConfiguredProvider], *, pause: float = PAUSE
) -> None:
    """Tries until all providers are there: other services may start later than this one. Then waits
    until cancelled, as every task of a service does."""
    waiting = list(providers)
    while waiting:
        waiting = [one for one in waiting if not await _tried(deps, one)]
        await asyncio.sleep(pause if waiting else 0)
    await asyncio.Event().wait()


async def _tried(deps: Deps, provider: ConfiguredProvider) -> bool:
    """Returns whether there is nothing left to try."""
    with traced("dashboard providers"):
        try:
            await ensure(deps, provider)
        except Invalid as error:
            log.error("dashboard_idp_refused", preset=provider.preset, error=str(error)[:200])
        except FAULTS as error:
            log.warning("dashboard_idp_waits", preset=provider.preset, error=type(error).__name__)
            return False
        return True


async def ensure(deps: Deps, provider: ConfiguredProvider) -> None:
    """Creates the provider under its preset's name, or gives it the configured client. Does nothing
    if it has that client already."""
    ctx = system_context(DASHBOARD, within=WITHIN)
    await deps.tenants.get(ctx)
    secret = provider.secret.get_secret_value()
    settings: dict[str, Any] = {"client_id": provider.client_id}
    try:
        row = await identity_providers.find(deps, ctx, provider.preset)
    except ProviderNotFound:
        create = CreateIdentityProvider(
            preset=provider.preset, client_secret=secret, settings=settings
        )
        await _created(deps, ctx, create)
        return
    if not _is_of_preset(row, provider):
        log.error("dashboard_idp_refused", preset=provider.preset, error=NOT_OURS)
        return
    if row.client_id != provider.client_id or await _secret(deps, ctx, row) != secret:
        update = UpdateIdentityProvider(provider=row.id, client_secret=secret, changes=settings)
        await identity_providers.update(deps, ctx, update)


async def _created(deps: Deps, ctx: Context, request: CreateIdentityProvider) -> None:
    try:
        await identity_providers.create(deps, ctx, request)
    except ProviderNameTaken:
        log.info("dashboard_idp_exists", preset=request.preset)  # another replica was faster


def _is_of_preset(row: Provider, provider: ConfiguredProvider) -> bool:
    """Returns whether the row still leads to the preset's servers. The secret goes to no other."""
    data = PRESETS[provider.preset]
    same = all(getattr(row, name) == data.get(name) for name in OF_ONE_SERVER)
    return row.preset == provider.preset and same


async def _secret(deps: Deps, ctx: Context, row: Provider) -> str | None:
    """Returns the stored secret. None if there is none, or if it cannot be opened."""
    if row.client_secret_sealed is None:
        return None
    async with deps.db.reader(ctx) as db:
        try:
            place = secret_place(row.id)
            secret = await deps.sealer.open(db, ctx.app_id, place, row.client_secret_sealed)
        except Unsealable:
            return None
    return secret.decode()
