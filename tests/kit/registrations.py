"""Steps of clients that register themselves at the oidc service of a `World`."""

from __future__ import annotations

from typing import Any

from tests.kit.world import World

from common.contracts.client_registration import (
    ClientInformation,
    CreateInitialAccessToken,
    RegisterClient,
)
from common.contracts.clients import Client, GetClient, ListClients, NewClient

HTTPS = "https://agent.example.com/cb"


async def register(world: World, token: str | None = None, **metadata: Any) -> ClientInformation:
    """Registers a client, by default with one https redirect URI."""
    sent = {"redirect_uris": [HTTPS]} | metadata
    present = {name: value for name, value in sent.items() if value is not None}
    return await world.call(RegisterClient(metadata=present, token=token))


async def initial_token(world: World, **more: Any) -> str:
    created = await world.admin(CreateInitialAccessToken(name="CI", **more))
    token: str = created.token
    return token


def wire(information: ClientInformation) -> dict[str, Any]:
    return information.model_dump(mode="json", exclude_none=True)


async def stored(world: World, information: ClientInformation) -> Client:
    client: Client = await world.admin(GetClient(client=information.client_id))
    return client


def as_client(information: ClientInformation, **more: Any) -> NewClient:
    """Returns what the steps of the kit need to know of a client."""
    fields = {"id": "0198b2f0-0000-7000-8000-000000000009", "name": "x", **more}
    return NewClient.model_construct(
        **fields, client_id=information.client_id, client_secret=information.client_secret
    )


async def clients_of(world: World, **which: Any) -> list[Client]:
    page = await world.admin(ListClients(**which))
    clients: list[Client] = page.clients
    return clients
