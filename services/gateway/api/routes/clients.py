"""OAuth clients of an application, their secrets, and what users allowed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Body, Query
from pydantic import Field, create_model

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
        __doc__="Fields of a client; those left out stay as they are.",
        **{
            name: (
                Annotated[(field.annotation, *field.metadata, Field())] | None,
                Field(None, description=field.description),
            )
            for name, field in ClientFields.model_fields.items()
        },
    )
Overlap = Annotated[
    int, Body(embed=True, ge=0, le=2_592_000, description="Seconds the old secrets live on.")
]


def _sent(changes: ClientChanges) -> dict[str, Any]:
    return changes.model_dump(mode="json", exclude_unset=True)


@router.get("", summary="List the clients")
async def list_(page: Annotated[ListClients, Query()], ctx: Acting, bus: TheBus) -> Clients:
    """In the order they were made. Needs `clients:read`."""
    return await bus.call(ctx, page)


@router.post("", status_code=201, summary="Register a client", response_model_exclude_none=True)
async def create(new: CreateClient, ctx: Acting, bus: TheBus) -> NewClient:
    """The secret is in the answer, this once. Needs `clients:write`."""
    return await bus.call(ctx, new)


@router.get("/{id}", summary="Get a client")
async def get(id: str, ctx: Acting, bus: TheBus) -> Client:
    """By `id` or `client_id`. Needs `clients:read`."""
    return await bus.call(ctx, GetClient(client=id))


@router.put("/{id}", summary="Change a client")
async def put(id: str, changes: ClientChanges, ctx: Acting, bus: TheBus) -> Client:
    """Fields left out stay as they are. Needs `clients:write`."""
    return await bus.call(ctx, UpdateClient(client=id, changes=_sent(changes)))


@router.patch("/{id}", summary="Change some fields of a client")
async def patch(id: str, changes: ClientChanges, ctx: Acting, bus: TheBus) -> Client:
    """Fields left out stay as they are. Needs `clients:write`."""
    return await bus.call(ctx, UpdateClient(client=id, changes=_sent(changes)))


@router.delete("/{id}", summary="Delete a client")
async def delete(id: str, ctx: Acting, bus: TheBus) -> Done:
    """Its grants and tokens go with it. Needs `clients:delete`."""
    return await bus.call(ctx, DeleteClient(client=id))


@router.post("/{id}/rotate-secret", status_code=201, summary="Replace a client's secret")
async def rotate(id: str, ctx: Acting, bus: TheBus, overlap: Overlap = 0) -> NewSecret:
    """The old secrets are dead at once, or live `overlap` seconds more. Needs `clients:write`."""
    return await bus.call(ctx, RotateClientSecret(client=id, overlap=overlap))


@router.get("/{id}/secrets", summary="List a client's secrets")
async def secrets(id: str, ctx: Acting, bus: TheBus) -> ClientSecrets:
    """Of each only the last characters are known. Needs `clients:read`."""
    return await bus.call(ctx, ListClientSecrets(client=id))


@router.delete("/{id}/secrets/{secret_id}", summary="End a client's secret")
async def delete_secret(id: str, secret_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Dead at once; the last one cannot be ended. Needs `clients:write`."""
    return await bus.call(ctx, DeleteClientSecret(client=id, secret_id=secret_id))


@router.get("/{id}/grants", summary="List who allowed a client something")
async def grants(
    id: str, *, ctx: Acting, bus: TheBus, limit: Page = 50, cursor: str | None = None
) -> Grants:
    """Users and scopes. Needs `clients:read`."""
    return await bus.call(ctx, ListClientGrants(client=id, limit=limit, cursor=cursor))


@router.delete("/{id}/grants", summary="Withdraw what users allowed a client")
async def revoke_grants(
    id: str, ctx: Acting, bus: TheBus, user_id: Id | None = None
) -> RevokedGrants:
    """Of all users or of one; the tokens are dead at once. Needs `clients:write`."""
    return await bus.call(ctx, RevokeClientGrants(client=id, user_id=user_id))


routes = RouteSet(router=router, in_applications=True)
