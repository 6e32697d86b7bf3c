"""Acme: a second demo application, with which users of the demo application sign in.

It is an OpenID provider like any other, so the provider sign-in works without the Internet and without an
account anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aero2 import demo
from aero2.demo import DAY, Demo, Keep, Known, Place, client_of, create_user
from common.bus import Bus
from common.context import Context, system_context
from common.contracts.applications import NewApplication
from common.contracts.client_secrets import RotateClientSecret
from common.contracts.clients import CreateClient, GetClient, UpdateClient
from common.contracts.identity_providers import (
    CreateIdentityProvider,
    GetIdentityProvider,
    IdentityProvider,
    ProviderInUse,
    ProviderNotFound,
    UpdateIdentityProvider,
)
from common.problems import Invalid

SLUG: Final = "acme"
NAME: Final = "Acme"
PROVIDER: Final = "acme"
USER: Final = "ada@example.com"
CLIENT: Final = "Demo"
CALLBACK: Final = "/rp/callback/acme"


@dataclass(frozen=True)
class DemoProvider:
    """The demo's identity provider, and a user who can sign in there. `user_password` is empty if it
    is not known."""

    app_id: str
    demo_url: str
    user: str
    user_password: str


async def application(bus: Bus) -> NewApplication:
    """Returns the Acme application, and creates it if it is missing."""
    return await demo.application(bus, SLUG, NAME)


async def ensure(
    bus: Bus,
    demo_data: Demo,
    app: NewApplication,
    *,
    credentials: Mapping[str, str] | None = None,
    keep: Keep = lambda _: None,
) -> DemoProvider | None:
    """Makes Acme a provider of the demo application. `credentials` and `keep` are as for the demo
    application. Returns None if the deployment's address does not suit OAuth: http on a public domain."""
    credentials = dict(credentials or {})
    if credentials.get("acme_app_id") != app.id:
        credentials = {
            name: value for name, value in credentials.items() if not name.startswith("acme_")
        }
        credentials["acme_app_id"] = app.id
    place = Place(app.id, app.home)
    try:
        secret = await _client(bus, place, demo_data.url, credentials)
    except Invalid:
        return None
    keep(credentials)
    await _provider(bus, demo_data.place, place, credentials, issuer=app.url, secret=secret)
    if "acme_user_password" not in credentials:
        credentials["acme_user_password"] = await create_user(bus, place, USER, "Ada Lovelace")
        keep(credentials)
    return DemoProvider(app.id, demo_data.url, USER, credentials["acme_user_password"])


async def _client(bus: Bus, place: Place, demo_url: str, credentials: Known) -> str | None:
    """Makes the demo application a client of Acme, and notes its client_id. Returns its secret if it
    is new."""
    callbacks = [demo_url + CALLBACK]
    client_id = await client_of(bus, place, credentials.get("acme_client_id"), CLIENT)
    if client_id is None:
        request = CreateClient(
            name=CLIENT,
            redirect_uris=callbacks,
            grant_types=["authorization_code"],
            first_party=True,
            scopes=["openid", "profile", "email"],
        )
        client = await bus.call(_system(place), request)
        credentials["acme_client_id"] = client.client_id
        return client.client_secret
    stored = await bus.call(_system(place), GetClient(client=client_id))
    if stored.redirect_uris != callbacks:  # the platform has another address now
        changes = {"redirect_uris": callbacks}
        await bus.call(_system(place), UpdateClient(client=client_id, changes=changes))
    if credentials.get("acme_client_id") == client_id:
        return None
    credentials["acme_client_id"] = client_id
    rotation = RotateClientSecret(client=client_id, overlap=DAY)
    return (await bus.call(_system(place), rotation)).client_secret


async def _provider(
    bus: Bus,
    place: Place,
    acme: Place,
    credentials: Known,
    *,
    issuer: str,
    secret: str | None,
) -> None:
    """Creates the provider in the demo application, or gives it what has changed."""
    settings: dict[str, Any] = {"issuer": issuer, "client_id": credentials["acme_client_id"]}
    provider = await _provider_of(bus, place)
    if provider is None:
        request = CreateIdentityProvider(
            name=PROVIDER,
            client_secret=secret or await _new_secret(bus, acme, credentials),
            settings=settings | {"display_name": NAME, "trusts_email": True},
        )
        await bus.call(_system(place), request)
        return
    if secret is None and all(getattr(provider, name) == settings[name] for name in settings):
        return
    update = UpdateIdentityProvider(
        provider=provider.id,
        client_secret=secret or await _new_secret(bus, acme, credentials),
        changes=settings,
    )
    try:
        await bus.call(_system(place), update)
    except ProviderInUse:  # another issuer, and somebody has signed in: their accounts stay theirs
        return


async def _provider_of(bus: Bus, place: Place) -> IdentityProvider | None:
    try:
        return await bus.call(_system(place), GetIdentityProvider(provider=PROVIDER))
    except ProviderNotFound:
        return None


async def _new_secret(bus: Bus, place: Place, credentials: Known) -> str:
    """Returns a new secret of the client: the earlier one cannot be read."""
    request = RotateClientSecret(client=credentials["acme_client_id"], overlap=DAY)
    return (await bus.call(_system(place), request)).client_secret


def _system(place: Place) -> Context:
    return system_context(place.app_id, within=15, home=place.home)
