"""Resource servers: the APIs that access tokens are for (RFC 8707)."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Request
from common.contracts.fields import Timestamp, Title, Uri
from common.contracts.keys import SigningAlg
from common.problems import Conflict, NotFound


class ResourceNotFound(NotFound):
    code, title = "resource_not_found", "There is no such resource."


class ResourceTaken(Conflict):
    code, title = "resource_taken", "A resource of this identifier exists already."


class ResourceFields(Contract):
    identifier: Uri = Field(description="The resource indicator: an absolute URI (RFC 8707).")
    name: Title
    access_token_lifetime: int | None = Field(default=None, ge=60, le=86_400)
    access_token_alg: SigningAlg | None = None


class Resource(ResourceFields):
    """An API that access tokens are for."""

    id: Id
    created_at: Timestamp
    updated_at: Timestamp


class Resources(Contract):
    resources: list[Resource]


class CreateResource(
    ResourceFields, Request[Resource], subject="oidc.resource.create", needs="clients:write"
):
    """Raises ResourceTaken."""


class ListResources(
    Request[Resources], subject="oidc.resource.list", needs="clients:read", safe=True
):
    """All of them; an application has few."""


class DeleteResource(Request[Done], subject="oidc.resource.delete", needs="clients:delete"):
    """The resource and its scopes; clients lose them. Raises ResourceNotFound."""

    id: Id
