"""Signs in at an identity provider as the pages do: request, answer, exchange."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.identity_providers import CreateIdentityProvider, IdentityProvider
from common.crypto import sha256_b64url
from identity.providers.account import ProviderAccount
from identity.providers.authorization import authorization_url
from identity.providers.exchange import provider_account
from identity.queries import identity_providers
from identity.queries.identity_providers import Provider

CALLBACK = "https://shop.id.example.org/rp/callback/p"


@dataclass
class ProviderSignIn:
    """One sign-in at one provider."""

    world: World
    provider: Provider
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    async def url(self, **wishes: Any) -> str:
        """Returns the URL at the provider."""
        return await authorization_url(
            self.world.identity,
            self.world.ctx(),
            self.provider,
            state=self.state,
            nonce=self.nonce,
            code_challenge=sha256_b64url(self.verifier),
            redirect_uri=CALLBACK,
            **wishes,
        )

    async def account(self, code: str, **more: Any) -> ProviderAccount:
        """Exchanges a code."""
        return await provider_account(
            self.world.identity,
            self.world.ctx(),
            self.provider,
            code=code,
            code_verifier=self.verifier,
            nonce=self.nonce,
            redirect_uri=CALLBACK,
            **more,
        )


async def new_provider(
    world: World,
    *,
    preset: str | None = None,
    name: str | None = None,
    secret: str = "our-secret",
    **settings: Any,
) -> IdentityProvider:
    """Creates a provider as an administrator."""
    fields: dict[str, Any] = {"client_id": "our-client", **settings}
    if preset is None:
        name = name or f"p{secrets.token_hex(4)}"
        fields.setdefault("display_name", "A provider")
    request = CreateIdentityProvider.model_validate(
        {"name": name, "preset": preset, "client_secret": secret, "settings": fields}
    )
    return await world.call(request, ADMIN)


async def sign_in_at(world: World, provider: IdentityProvider) -> ProviderSignIn:
    """Begins a sign-in with the provider's row as it is now."""
    async with world.identity.db.reader(world.ctx()) as db:
        row = await identity_providers.by_id(db, app_id=world.app_id, idp_id=provider.id)
    assert row is not None
    return ProviderSignIn(world, row)


def params_of(url: str) -> dict[str, str]:
    """Returns the query parameters of a URL."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
