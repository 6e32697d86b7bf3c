"""An application whose API calls another API for its users: token exchange in a `World`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.kit.factories import Person
from tests.kit.oauth import basic_of
from tests.kit.world import World

from common.contracts.clients import NewClient
from common.contracts.exchange_policies import CreateExchangePolicy, ExchangePolicy
from common.contracts.oauth_errors import OAuthError
from common.contracts.resources import CreateResource
from common.contracts.scopes import CreateScope
from common.contracts.tokens import Introspection, IntrospectToken, Tokens
from common.testing import LocalBus
from oidc import token_types
from oidc.oauth_switches import TOKEN_EXCHANGE

NOTES = "https://notes.example.com/api"
FILES = "https://files.example.com/api"
MAIL = "https://mail.example.com/api"
SCOPES = ["notes.read", "files.read", "files.write"]


async def prepare(world: World) -> None:
    """Switches token exchange on and registers three APIs with their scopes."""
    world.configure(world.app_id, token_exchange=True, jwt_bearer=True)
    if hasattr(world, "_replica") and world._replica is not None:
        world.replica.oidc.tenants.cache.clear()
    for identifier in (NOTES, FILES, MAIL):
        await world.admin(CreateResource(identifier=identifier, name="API"))
    for name in SCOPES:
        await world.admin(CreateScope(name=name))


@dataclass
class Exchange:
    """An app whose users have tokens for the notes API, and that API, which calls the files API."""

    world: World
    app: NewClient
    notes: NewClient

    @classmethod
    async def start(cls, world: World, *, policy: dict[str, Any] | None = None) -> Exchange:
        """Makes the clients, and the policy of the notes API unless `policy` is empty."""
        app = await world.client(scopes=["openid", "email", "offline_access", *SCOPES])
        notes = await new_api(world)
        exchange = cls(world, app, notes)
        if policy is None:
            policy = {"resources": [FILES], "scopes": ["files.read"]}
        if policy:
            await exchange.allow(notes, app, **policy)
        return exchange

    async def allow(self, client: NewClient, subject: NewClient, **fields: Any) -> ExchangePolicy:
        """Lets a client exchange the tokens of another one."""
        request = CreateExchangePolicy(
            client=client.client_id, subject_client=subject.client_id, **fields
        )
        policy: ExchangePolicy = await self.world.admin(request)
        return policy

    async def user_tokens(self, person: Person | None = None, **params: Any) -> Tokens:
        """Returns a user's tokens for the notes API."""
        person = person or await self.world.person()
        params = {"resource": NOTES, "scope": "openid notes.read files.read"} | params
        return await self.world.tokens(self.app, person, **params)

    async def exchange(
        self,
        token: str | None,
        client: NewClient | None = None,
        *,
        bus: LocalBus | None = None,
        **params: Any,
    ) -> Tokens:
        """Exchanges a token, as the notes API unless `client` says otherwise."""
        sent = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": token,
            "subject_token_type": token_types.ACCESS_TOKEN,
        }
        return await self.world.token(client or self.notes, bus=bus, **{**sent, **params})

    async def refusal(
        self, token: str | None, client: NewClient | None = None, **params: Any
    ) -> str:
        """Returns the error that an exchange ends with."""
        try:
            await self.exchange(token, client, **params)
        except OAuthError as error:
            return error.code
        raise AssertionError("the token was exchanged")

    async def introspect(
        self, token: str, client: NewClient | None = None, bus: LocalBus | None = None
    ) -> Introspection:
        client = client or self.notes
        request = IntrospectToken(
            params=[("token", token)],
            basic=basic_of(client.client_id, client.client_secret or ""),
        )
        answer: Introspection = await (bus or self.world.bus).call(self.world.ctx(), request)
        return answer


async def new_api(world: World, resource: str = NOTES, **fields: Any) -> NewClient:
    """Creates the client of an API, which may exchange tokens if a policy lets it."""
    return await world.client(
        **{
            "type": "service",
            "redirect_uris": [],
            "grant_types": ["client_credentials", TOKEN_EXCHANGE],
            "scopes": SCOPES,
            "default_resources": [resource],
        }
        | fields
    )
