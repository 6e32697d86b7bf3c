"""Metadata documents of clients: the `client_id` is the URL of a document that describes the client
(draft-ietf-oauth-client-id-metadata-document)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from common.contracts.base import Contract, Done, Request
from common.contracts.fields import Timestamp
from common.problems import NotFound

ClientUrl = Annotated[str, Field(min_length=9, max_length=200, pattern=r"^https://")]


class ClientDocumentNotFound(NotFound):
    """The application knows no document at this URL."""

    code, title = "client_document_not_found", "No document is known at this URL."


class ClientDocument(Contract):
    """The part of a client's document that the application uses."""

    client_id: str
    name: str
    redirect_uris: list[str]
    scopes: list[str]
    pinned: bool = Field(
        description="Whether somebody of the application stored this copy. It is never fetched."
    )
    fetched_at: Timestamp
    expires_at: Timestamp | None = Field(
        default=None, description="When it is fetched again. `null`: never."
    )


class ClientDocuments(Contract):
    """The documents that the application knows."""

    documents: list[ClientDocument]


class ListClientDocuments(
    Request[ClientDocuments], subject="oidc.client_document.list", needs="clients:read", safe=True
):
    """Lists the documents that are known now, pinned ones first, 1000 at most."""


class PinClientDocument(
    Request[ClientDocument], subject="oidc.client_document.pin", needs="clients:write"
):
    """Stores a copy of a document, for a server that does not answer us. The copy replaces what is
    known, and the document is not fetched. Raises Invalid."""

    client_id: ClientUrl
    document: dict[str, JsonValue] = Field(description="The content of the document.")


class DeleteClientDocument(
    Request[Done], subject="oidc.client_document.delete", needs="clients:delete"
):
    """Forgets a document, pinned or not. It is fetched when somebody needs it again. Grants stay.
    Raises ClientDocumentNotFound."""

    client_id: ClientUrl
