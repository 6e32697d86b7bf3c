"""Clients that are named by the URL of their metadata document (CIMD,
draft-ietf-oauth-client-id-metadata-document).

A document is fetched only for somebody who is signed in, and by one request at a time over all
replicas. The application keeps it as long as its headers permit. Failures are not kept.
The client itself is stored when the first user consents, because consents and tokens refer to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import fields as dataclass_fields
from typing import Any, Final
from urllib.parse import urlsplit

from common import audit
from common.attempt_limits import AttemptLimit, Limits
from common.context import Context
from common.contracts.clients import ClientFields
from common.contracts.oauth_errors import OAuthError, UnusableClientDocument
from common.db import Db
from common.events.clients import ClientCreated
from common.ids import new_id
from common.problems import RateLimited
from oidc import (
    client_document_fetch,
    client_document_fields,
    client_document_urls,
    client_rules,
    scope_catalogue,
    scope_ceiling,
)
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.queries import client_documents
from oidc.queries.clients import RegisteredClient

LEASE: Final = client_document_fetch.DEADLINE + 1.0
"""Seconds after which another request may fetch, if this one has died."""
POLL: Final = 0.1
FETCHES: Final = AttemptLimit("client document", 30, 60)
"""For each address of users."""


async def check_accepted(deps: Deps, ctx: Context, client_id: str) -> None:
    """Raises OAuthError if the application does not accept a client with this URL."""
    settings = (await deps.tenants.get(ctx)).settings
    if settings.client_id_documents == "off":
        raise OAuthError("the client is unknown")
    if not client_document_urls.is_well_formed(client_id):
        raise OAuthError("the client_id is no URL of a metadata document")
    if not client_document_urls.is_accepted(settings, client_id):
        raise OAuthError("this application does not accept clients of this host")


async def find(
    deps: Deps, ctx: Context, client_id: str, *, may_fetch: bool
) -> RegisteredClient | None:
    """Returns the client that a document describes. Returns None if the document would have to be
    fetched, and must not be. Raises OAuthError."""
    await check_accepted(deps, ctx, client_id)
    async with deps.db.reader(ctx) as db:
        stored = await client_documents.find(db, app_id=ctx.app_id, client_id=client_id)
    if stored is None or not stored.fresh:
        if not may_fetch:
            return None
        try:
            fields = await _fetched(deps, ctx, client_id)
        except UnusableClientDocument as problem:
            host = urlsplit(client_id).hostname
            raise UnusableClientDocument(f"{host}: {problem.detail}") from None
    else:
        assert stored.fields is not None
        fields = stored.fields
    client = await find_registered(deps, ctx, client_id)
    return client or _unregistered(ctx.app_id, client_id, fields)


def unknown(ctx: Context, client_id: str) -> RegisteredClient:
    """Returns what is known of a client before its document is fetched: its host."""
    name = urlsplit(client_id).hostname or client_id
    return _unregistered(ctx.app_id, client_id, ClientFields(name=name).model_dump())


def _unregistered(app_id: str, client_id: str, fields: dict[str, Any]) -> RegisteredClient:
    own: dict[str, Any] = {
        "app_id": app_id,
        "client_id": client_id,
        "source": "document",
        "epoch": 0,
        "secrets": [],
    }
    names = [each.name for each in dataclass_fields(RegisteredClient)]
    members: dict[str, Any] = {name: own.get(name, fields.get(name)) for name in names}
    return RegisteredClient(**members)


async def _fetched(deps: Deps, ctx: Context, client_id: str) -> dict[str, Any]:
    """Fetches the document, or waits until another request has done it. Raises UnusableClientDocument."""
    try:
        await Limits(deps.db, deps.keys).count(ctx, (FETCHES, ctx.ip))
    except RateLimited:
        raise UnusableClientDocument("too many were requested from your address") from None
    give_up = asyncio.get_running_loop().time() + LEASE
    while asyncio.get_running_loop().time() < give_up:
        async with deps.db.autocommit(ctx) as db:
            claimed = await client_documents.claim(
                db, app_id=ctx.app_id, client_id=client_id, seconds=LEASE
            )
        if claimed:
            return await _fetch(deps, ctx, client_id)
        await asyncio.sleep(POLL)
        async with deps.db.reader(ctx) as db:
            stored = await client_documents.find(db, app_id=ctx.app_id, client_id=client_id)
        if stored is not None and stored.fresh and stored.fields is not None:
            return stored.fields
    raise UnusableClientDocument("its server cannot be reached")


async def _fetch(deps: Deps, ctx: Context, client_id: str) -> dict[str, Any]:
    try:
        document = await client_document_fetch.fetch(deps.http, client_id)
        fields = await described(deps, ctx, client_id, document.content)
    except BaseException:
        async with deps.db.autocommit(ctx) as db:
            await client_documents.release(db, app_id=ctx.app_id, client_id=client_id)
        raise
    await store(deps, ctx, client_id, fields, lifetime=document.lifetime)
    return fields


async def described(deps: Deps, ctx: Context, client_id: str, document: Any) -> dict[str, Any]:
    """Returns what we use of a document. Raises UnusableClientDocument."""
    settings = (await deps.tenants.get(ctx)).settings
    catalogue = await scope_catalogue.get_catalogue(deps, ctx)
    resources = [catalogue.find_resource(identifier) for identifier in settings.agent_resources]
    fields = client_document_fields.from_document(
        document,
        client_id,
        await client_rules.environment(deps, ctx),
        ceiling=await scope_ceiling.get(deps, ctx),
        resources=[resource.identifier for resource in resources if resource is not None],
    )
    return fields.model_dump(mode="json")


async def store(
    deps: Deps,
    ctx: Context,
    client_id: str,
    fields: dict[str, Any],
    *,
    lifetime: int,
    pinned: bool = False,
) -> None:
    """Stores what a document says, also for the client that it describes, if users have consented."""
    async with deps.db.transaction(ctx) as tx:
        stored = await client_documents.store(
            tx,
            app_id=ctx.app_id,
            client_id=client_id,
            fields=fields,
            lifetime=lifetime,
            pinned=pinned,
        )
        changed = stored and await client_documents.update_client(
            tx, app_id=ctx.app_id, client_id=client_id, fields=fields
        )
    if changed:
        await deps.invalidate(ctx, "client", client_id)


async def register(tx: Db, ctx: Context, client: RegisteredClient, *, user_id: str) -> bool:
    """Stores the client of a document when a user consents. Returns False if it is stored already."""
    names = ClientFields.model_fields
    known = {each.name for each in dataclass_fields(RegisteredClient)}
    fields = ClientFields(
        **{name: getattr(client, name) for name in names if name in known}
    ).model_dump(mode="json")
    inserted = await client_documents.insert_client(
        tx, app_id=ctx.app_id, id=new_id(), client_id=client.client_id, fields=fields
    )
    if inserted:
        event = ClientCreated(client_id=client.client_id, name=client.name)
        await audit.record(tx, ctx, event, user_id=user_id)
    return inserted
