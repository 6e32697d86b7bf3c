"""Documents that a provider publishes. All replicas share them, and their fetches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from common.context import Context
from identity.deps import Deps
from identity.providers import calls
from identity.providers.failures import ProviderFailed, Step
from identity.queries import provider_documents
from identity.queries.identity_providers import Provider
from identity.queries.provider_documents import StoredDocument

FRESH: Final = 3600.0
"""Seconds for which a document is used without a look at the provider."""
KEPT: Final = 86_400.0
"""Seconds for which it is used if the provider does not answer."""
PAUSE: Final = 30
"""Seconds between two fetches of one document, over all replicas."""
POLL: Final = 0.1
"""Seconds between two looks at a fetch of somebody else."""


@dataclass(frozen=True)
class DocumentSource:
    """Where a document is. `read` checks a fetched value and returns what is stored of it, or raises
    ProviderFailed."""

    kind: Step
    url: str
    read: Callable[[Any], dict[str, Any]]


async def document(
    deps: Deps, ctx: Context, provider: Provider, source: DocumentSource, *, newer: bool = False
) -> dict[str, Any]:
    """Returns the document. It is fetched if it is absent or old. `newer` says that the stored one is
    known to be old: this fetches it once in PAUSE seconds. Raises ProviderFailed if there is none."""
    stored = _usable(await _stored(deps, ctx, provider, source), source)
    if stored is not None and stored.document is not None and not newer and _age(stored) < FRESH:
        return stored.document
    if await claimed(deps, ctx, provider, source, pause=PAUSE, newer=newer):
        try:
            return await fetch(deps, ctx, provider, source)
        except ProviderFailed:
            if stored is None or stored.document is None:
                raise
            return stored.document
    if stored is None or newer:
        stored = await _ended(deps, ctx, provider, source)
    if stored is None or stored.document is None:
        failure = stored.failure if stored else None
        raise ProviderFailed(source.kind, failure or "the document is not there yet")
    return stored.document


async def claimed(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    source: DocumentSource,
    *,
    pause: int,
    newer: bool = False,
) -> bool:
    """Returns whether this call shall fetch the document: nobody did in the last `pause` seconds. With
    `newer`, nobody did because the stored one was known to be old."""
    async with deps.db.autocommit(ctx) as db:
        return await provider_documents.claim(
            db,
            app_id=ctx.app_id,
            idp_id=provider.id,
            kind=source.kind,
            url=source.url,
            pause=pause,
            newer=newer,
        )


async def fetch(
    deps: Deps, ctx: Context, provider: Provider, source: DocumentSource
) -> dict[str, Any]:
    """Fetches a document and stores it, or stores why this failed. Raises ProviderFailed."""
    place = {"app_id": ctx.app_id, "idp_id": provider.id, "kind": source.kind, "url": source.url}
    try:
        value = await calls.json_answer(deps, ctx, provider, source.kind, url=source.url)
        kept = source.read(value)
    except ProviderFailed as error:
        async with deps.db.autocommit(ctx) as db:
            await provider_documents.store_failure(db, **place, failure=error.detail)
        raise
    async with deps.db.autocommit(ctx) as db:
        await provider_documents.store(db, **place, document=kept)
    return kept


async def _stored(
    deps: Deps, ctx: Context, provider: Provider, source: DocumentSource
) -> StoredDocument | None:
    async with deps.db.reader(ctx) as db:
        return await provider_documents.get(
            db, app_id=ctx.app_id, idp_id=provider.id, kind=source.kind
        )


def _usable(stored: StoredDocument | None, source: DocumentSource) -> StoredDocument | None:
    """Returns the document unless it is of another URL or older than KEPT."""
    if stored is None or stored.url != source.url or _age(stored) >= KEPT:
        return None
    return stored


def _age(stored: StoredDocument) -> float:
    return KEPT if stored.age is None else stored.age


async def _ended(
    deps: Deps, ctx: Context, provider: Provider, source: DocumentSource
) -> StoredDocument | None:
    """Waits until a fetch of somebody else ends, for as long as one can take. Raises ProviderFailed if
    too many calls wait already."""
    stored = await _stored(deps, ctx, provider, source)
    if stored is not None and stored.pending:
        with deps.provider_slots.slot(ctx.app_id) as free:
            if not free:
                raise ProviderFailed(source.kind, calls.TOO_MANY)
            while stored is not None and stored.pending and ctx.remaining() > 2 * POLL:
                await asyncio.sleep(POLL)
                stored = await _stored(deps, ctx, provider, source)
    return stored if stored and (stored.failure or _usable(stored, source)) else None
