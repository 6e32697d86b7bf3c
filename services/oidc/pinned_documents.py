"""Documents of clients: administrators list them, and pin a copy where a server does not answer us."""

from __future__ import annotations

from typing import Final

import orjson

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.client_documents import (
    ClientDocument,
    ClientDocumentNotFound,
    ClientDocuments,
    DeleteClientDocument,
    ListClientDocuments,
    PinClientDocument,
)
from common.contracts.oauth_errors import UnusableClientDocument
from common.events.clients import ClientDocumentForgotten, ClientDocumentPinned
from common.field_errors import field_error
from common.problems import Invalid
from oidc import client_document_fetch, client_document_urls
from oidc import client_documents as documents
from oidc.deps import Deps
from oidc.queries import client_documents
from oidc.queries.client_documents import KnownDocument

MOST: Final = 1000
"""Documents in the list."""
A_YEAR: Final = 31_536_000
"""Seconds. A pinned copy does not expire; the column needs a time."""


async def list_(deps: Deps, ctx: Context, _: ListClientDocuments) -> ClientDocuments:
    """Lists the documents that the application knows now."""
    async with deps.db.reader(ctx) as db:
        rows = await client_documents.list_(db, app_id=ctx.app_id, limit=MOST)
    rows.sort(key=lambda row: not row.pinned)
    return ClientDocuments(documents=[_shown(row) for row in rows])


async def pin(deps: Deps, ctx: Context, request: PinClientDocument) -> ClientDocument:
    """Stores a copy of a document. Raises Invalid with the reason why it cannot be used."""
    if not client_document_urls.is_well_formed(request.client_id):
        raise Invalid(errors=[field_error("client_id", "client_url_malformed")])
    if len(orjson.dumps(request.document)) > client_document_fetch.MAX_BYTES:
        maximum = client_document_fetch.MAX_BYTES
        raise Invalid(errors=[field_error("document", "document_too_large", maximum=maximum)])
    try:
        fields = await documents.described(deps, ctx, request.client_id, request.document)
    except UnusableClientDocument as problem:
        reason = problem.detail
        raise Invalid(
            errors=[field_error("document", "document_unusable", reason=reason)]
        ) from None
    async with deps.db.reader(ctx) as db:
        known = await client_documents.find_known(
            db, app_id=ctx.app_id, client_id=request.client_id
        )
    if known is not None and known.pinned and known.fields == fields:
        return _shown(known)
    await documents.store(deps, ctx, request.client_id, fields, lifetime=A_YEAR, pinned=True)
    async with deps.db.transaction(ctx) as tx:
        row = await client_documents.find_known(tx, app_id=ctx.app_id, client_id=request.client_id)
        if row is None:  # forgotten by another request meanwhile
            raise ClientDocumentNotFound
        await audit.record(tx, ctx, ClientDocumentPinned(client_id=request.client_id))
    return _shown(row)


async def delete(deps: Deps, ctx: Context, request: DeleteClientDocument) -> Done:
    """Forgets a document. Raises ClientDocumentNotFound."""
    async with deps.db.transaction(ctx) as tx:
        deleted = await client_documents.delete(tx, app_id=ctx.app_id, client_id=request.client_id)
        if not deleted:
            raise ClientDocumentNotFound
        await audit.record(tx, ctx, ClientDocumentForgotten(client_id=request.client_id))
    return Done()


def _shown(row: KnownDocument) -> ClientDocument:
    return ClientDocument(
        client_id=row.client_id,
        name=row.fields["name"],
        redirect_uris=row.fields["redirect_uris"],
        scopes=row.fields["scopes"],
        pinned=row.pinned,
        fetched_at=row.fetched_at,
        expires_at=None if row.pinned else row.expires_at,
    )
