"""OAuth clients of an application, their secrets, and what users allowed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, Query
from pydantic import Field, create_model

from common.contracts.authorization_check import AuthorizationUrlReport, CheckAuthorizationUrl
from common.contracts.base import Contract, Done, Id
from common.contracts.client_secrets import (
    ClientSecrets,
    DeleteClientSecret,
    ListClientSecrets,
    NewSecret,
    RotateClientSecret,
)
from common.contracts.clients import (
    Client,
    ClientFields,
    Clients,
    CreateClient,
    DeleteClient,
    GetClient,
    ListClients,
    NewClient,
    UpdateClient,
)
from common.contracts.consents import Grants, ListClientGrants, RevokeClientGrants, RevokedGrants
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/clients", tags=["clients"])

Page = Annotated[int, Query(ge=1, le=100)]
if TYPE_CHECKING:
    ClientChanges = Contract
else:
    ClientChanges = create_model(
        "ClientChanges",
        __base__=Contract,
        __doc__="Fields of a client to change. Fields that you leave out stay as they are.",
        **{
            name: (
                Annotated[(field.annotation, *field.metadata, Field())] | None,
                Field(None, description=field.description),
            )
            for name, field in ClientFields.model_fields.items()
        },
    )
Overlap = Annotated[
    int,
    Body(
        embed=True,
        ge=0,
        le=2_592_000,
        description="How long the old secrets stay valid, in seconds.",
    ),
]


def _sent(changes: ClientChanges) -> dict[str, Any]:
    return changes.model_dump(mode="json", exclude_unset=True)


@router.get("", summary="List clients")
async def list_(page: Annotated[ListClients, Query()], ctx: Acting, bus: TheBus) -> Clients:
    """Lists the clients in the order of their creation. Needs `clients:read`."""
    return await bus.call(ctx, page)


@router.post("", status_code=201, summary="Create a client", response_model_exclude_none=True)
async def create(new: CreateClient, ctx: Acting, bus: TheBus) -> NewClient:
    """Creates a client and returns its secret, if its type has one. The secret cannot be shown
    again. Needs `clients:write`."""
    return await bus.call(ctx, new)


@router.post("/check", summary="Check an authorization URL")
async def check(url: CheckAuthorizationUrl, ctx: Acting, bus: TheBus) -> AuthorizationUrlReport:
    """Says which rule of the authorization endpoint refuses a URL, and why. Nothing is sent or stored.
    Needs `clients:read`."""
    return await bus.call(ctx, url)


@router.get("/{id}", summary="Get a client")
async def get(id: str, ctx: Acting, bus: TheBus) -> Client:
    """Returns a client by its `id` or `client_id`. Needs `clients:read`."""
    return await bus.call(ctx, GetClient(client=id))


@router.put("/{id}", summary="Update a client (same as PATCH)")
async def put(id: str, changes: ClientChanges, ctx: Acting, bus: TheBus) -> Client:
    """Changes the fields that you send. The others stay as they are. Needs `clients:write`."""
    return await bus.call(ctx, UpdateClient(client=id, changes=_sent(changes)))


@router.patch("/{id}", summary="Update a client")
async def patch(id: str, changes: ClientChanges, ctx: Acting, bus: TheBus) -> Client:
    """Changes the fields that you send. The others stay as they are. Needs `clients:write`."""
    return await bus.call(ctx, UpdateClient(client=id, changes=_sent(changes)))


@router.delete("/{id}", summary="Delete a client")
async def delete(id: str, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the client with its secrets, grants and tokens. This cannot be undone. Needs
    `clients:delete`."""
    return await bus.call(ctx, DeleteClient(client=id))


@router.post("/{id}/rotate-secret", status_code=201, summary="Rotate a client secret")
async def rotate(id: str, ctx: Acting, bus: TheBus, overlap: Overlap = 0) -> NewSecret:
    """Creates a new secret and returns it. It cannot be shown again. The old secrets stop working
    at once, or after `overlap` seconds. Needs `clients:write`."""
    return await bus.call(ctx, RotateClientSecret(client=id, overlap=overlap))


@router.get("/{id}/secrets", summary="List client secrets")
async def secrets(id: str, ctx: Acting, bus: TheBus) -> ClientSecrets:
    """Lists the secrets of a client. Only the last characters of each are shown. Needs
    `clients:read`."""
    return await bus.call(ctx, ListClientSecrets(client=id))


@router.delete("/{id}/secrets/{secret_id}", summary="Delete a client secret")
async def delete_secret(id: str, secret_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Deletes a secret. It stops working at once. The last secret of a client cannot be deleted.
    Needs `clients:write`."""
    return await bus.call(ctx, DeleteClientSecret(client=id, secret_id=secret_id))


@router.get("/{id}/grants", summary="List grants of a client")
async def grants(
    id: str, *, ctx: Acting, bus: TheBus, limit: Page = 50, cursor: str | None = None
) -> Grants:
    """Lists the users who gave the client access, with the scopes of each. Needs `clients:read`."""
    return await bus.call(ctx, ListClientGrants(client=id, limit=limit, cursor=cursor))


@router.delete("/{id}/grants", summary="Revoke grants of a client")
async def revoke_grants(
    id: str, ctx: Acting, bus: TheBus, user_id: Id | None = None
) -> RevokedGrants:
    """Revokes the access that users gave the client, for all users or for one. The tokens stop
    working at once. Needs `clients:write`."""
    return await bus.call(ctx, RevokeClientGrants(client=id, user_id=user_id))


routes = RouteSet(router=router, in_applications=True)
