"""The relying party as the OpenID Foundation's suite meets it: our code signs in at its provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.kit.identity_provider import OpenIdProvider, local_internet, running_server
from tests.kit.postgres import Postgres
from tests.kit.provider_sign_in import new_provider, params_of, sign_in_at
from tests.kit.world import World

from common.contracts.identity_providers import IdentityProvider
from identity.providers.account import ProviderAccount
from identity.providers.failures import ProviderFailed

ISSUER = "https://localhost.emobix.co.uk/test/a/aero2/"
"""The suite's issuers end in a slash."""


@dataclass
class RelyingParty:
    """Our relying party with one provider row, and the suite's provider."""

    world: World
    op: OpenIdProvider
    provider: IdentityProvider

    async def account(self) -> ProviderAccount:
        """Signs in: authorization request, token call, ID token, UserInfo."""
        sign_in = await sign_in_at(self.world, self.provider)
        return await sign_in.account(self.op.authorize(await sign_in.url()))

    async def refusal(self) -> str:
        """Returns the step at which a sign-in is refused."""
        try:
            await self.account()
        except ProviderFailed as failure:
            return failure.step
        return "accepted"

    async def request(self) -> dict[str, str]:
        """Returns the parameters of an authorization request."""
        sign_in = await sign_in_at(self.world, self.provider)
        return params_of(await sign_in.url())


@asynccontextmanager
async def running(postgres: Postgres) -> AsyncIterator[RelyingParty]:
    """Runs the identity service with an application of its own, and the suite's provider."""
    name = postgres.clone()
    world = await World.start(
        postgres.dsns(name), "identity", stand_ins=("tenancy", "rbac"), size=5
    )
    world.app_id = await world.application()
    async with running_server() as server:
        world.replace_deps("identity", http=local_internet(server))
        op = OpenIdProvider(server, ISSUER, userinfo={}).install()
        yield RelyingParty(world, op, await new_provider(world, issuer=ISSUER))
    await world.close()
    postgres.drop(name)
