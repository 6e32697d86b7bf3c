"""Resource servers: the APIs that access tokens are for (RFC 8707)."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Request
from common.contracts.fields import Timestamp, Title, Uri
from common.contracts.keys import SigningAlg
from common.problems import Conflict, NotFound


class ResourceNotFound(NotFound):
    """The application has no API with this id."""

    code, title = "resource_not_found", "This API does not exist."


class ResourceTaken(Conflict):
    """The application has an API with this identifier."""

    code, title = "resource_taken", "An API with this identifier already exists."


class ResourceFields(Contract):
    """The settings of an API."""

    identifier: Uri = Field(description="The resource indicator: an absolute URI (RFC 8707).")
    name: Title
    access_token_lifetime: int | None = Field(default=None, ge=60, le=86_400)
    access_token_alg: SigningAlg | None = None


class Resource(ResourceFields):
    """An API that access tokens can be for."""

    id: Id
    created_at: Timestamp
    updated_at: Timestamp


class Resources(Contract):
    """The APIs of an application."""

    resources: list[Resource]


class CreateResource(
    ResourceFields, Request[Resource], subject="oidc.resource.create", needs="clients:write"
):
    """Registers an API. Raises ResourceTaken."""


class ListResources(
    Request[Resources], subject="oidc.resource.list", needs="clients:read", safe=True
):
    """Lists all APIs of the application."""


class DeleteResource(Request[Done], subject="oidc.resource.delete", needs="clients:delete"):
    """Deletes an API and its scopes. Clients lose them. Raises ResourceNotFound."""

    id: Id
