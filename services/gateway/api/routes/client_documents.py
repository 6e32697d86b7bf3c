"""Metadata documents of clients (draft-ietf-oauth-client-id-metadata-document)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.base import Done
from common.contracts.client_documents import (
    ClientDocument,
    ClientDocuments,
    ClientUrl,
    DeleteClientDocument,
    ListClientDocuments,
    PinClientDocument,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(tags=["clients"])


@router.get("/client-documents", summary="List metadata documents of clients")
async def list_client_documents(ctx: Acting, bus: TheBus) -> ClientDocuments:
    """Lists the documents that are known now, pinned ones first. Needs `clients:read`."""
    return await bus.call(ctx, ListClientDocuments())


@router.put("/client-documents", summary="Pin a copy of a metadata document")
async def pin_client_document(new: PinClientDocument, ctx: Acting, bus: TheBus) -> ClientDocument:
    """Stores a copy of a document, for a server that does not answer us. Needs `clients:write`."""
    return await bus.call(ctx, new)


@router.delete("/client-documents", summary="Forget a metadata document")
async def delete_client_document(
    client_id: Annotated[ClientUrl, Query()], ctx: Acting, bus: TheBus
) -> Done:
    """Forgets a document, pinned or not. It is fetched when somebody needs it again. Needs
    `clients:delete`."""
    return await bus.call(ctx, DeleteClientDocument(client_id=client_id))


routes = RouteSet(router=router, in_applications=True)
