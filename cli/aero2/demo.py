"""The demo application: made once over the bus, the same at every start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aero2.embedded.secrets import password
from aero2.failures import CommandError
from common.bus import Bus
from common.context import Context, system_context
from common.contracts.api_keys import CreateApiKey, KeyType
from common.contracts.applications import EnsureApplication, NewApplication
from common.contracts.client_secrets import RotateClientSecret
from common.contracts.clients import ClientNotFound, CreateClient, GetClient, ListClients
from common.contracts.profiles import Profile
from common.contracts.settings_change import SettingsChange, UpdateSettings
from common.contracts.users import CreateUser, EmailTaken
from common.homes import MAIN
from common.ids import DASHBOARD
from common.problems import Unavailable

SLUG: Final = "demo"
USER: Final = "demo@example.com"
CALLBACKS: Final = [
    f"http://{host}:{port}/callback"
    for host in ("localhost", "127.0.0.1")
    for port in (3000, 5000, 8000, 9000)
]
CLIENT: Final = "Demo client"
DAY: Final = 86_400
PATIENCE: Final = 30.0
"""Seconds until every service has done its part of a new application."""

Known = dict[str, str]
Keep = Callable[[Known], None]


@dataclass(frozen=True)
class Place:
    """An application, and the database cluster with its rows."""

    app_id: str
    home: str = MAIN


@dataclass(frozen=True)
class Demo:
    """The data that a developer needs to try the demo application. `user_password` is empty if
    somebody else made the user."""

    slug: str
    host: str
    url: str
    app_id: str
    publishable_key: str
    secret_key: str
    client_id: str
    client_secret: str
    user: str
    user_password: str
    home: str = MAIN
    """The database cluster with its rows."""

    @property
    def place(self) -> Place:
        return Place(self.app_id, self.home)


async def ensure(bus: Bus, credentials: Known, keep: Keep) -> Demo:
    """The demo application with a client and a user. `credentials` are what `keep` was
    given at the last start: the platform shows a secret once, so each is kept before the next is asked for."""
    app = await application(bus, SLUG, "Demo")
    credentials = dict(credentials) if credentials.get("app_id") == app.id else {"app_id": app.id}
    credentials |= {f"{key.key_type}_key": key.key for key in app.api_keys}
    keep(credentials)
    for step in (_settings, _keys, _client, _user):
        credentials |= await step(bus, Place(app.id, app.home), credentials)
        keep(credentials)
    names = ("publishable_key", "secret_key", "client_id", "client_secret", "user_password")
    mine = {name: credentials[name] for name in names}
    address = {"slug": app.slug, "host": app.host, "url": app.url}
    return Demo(app_id=app.id, user=USER, home=app.home, **address, **mine)


async def application(bus: Bus, slug: str, name: str) -> NewApplication:
    """Waits until it is whole: roles, signing keys and API keys, each made by its own service."""
    ends = time.monotonic() + PATIENCE
    app = None
    while app is None or app.state != "active":
        if time.monotonic() > ends:
            raise CommandError(
                f"The {name} application is not complete; see the logs of the services."
            )
        try:
            request = EnsureApplication(slug=slug, name=name)
            reply = await bus.call(_system(Place(DASHBOARD)), request)
        except Unavailable:  # tenancy is up before the services it asks
            await asyncio.sleep(0.2)
            continue
        keys = reply.api_keys or (app.api_keys if app else [])
        app = reply.model_copy(update={"api_keys": keys})
        if app.state != "active":
            await asyncio.sleep(0.2)
    return app


async def _settings(bus: Bus, place: Place, credentials: Known) -> Known:
    """Lets the demo's users turn on two-step verification. It is set once, so that it can be turned
    off."""
    if "mfa_policy" in credentials:
        return {}
    changes = SettingsChange(mfa_policy="optional")
    await bus.call(_system(place), UpdateSettings(changes=changes))
    return {"mfa_policy": "optional"}


async def _keys(bus: Bus, place: Place, credentials: Known) -> Known:
    """Secret keys cannot be read again. If this folder does not have them, new ones are created."""
    new_keys: Known = {}
    kinds: tuple[KeyType, ...] = ("publishable", "secret")
    for kind in kinds:
        if f"{kind}_key" not in credentials:
            request = CreateApiKey(key_type=kind, name="Demo")
            new_keys[f"{kind}_key"] = (await bus.call(_system(place), request)).key
    return new_keys


async def _client(bus: Bus, place: Place, credentials: Known) -> Known:
    """The demo client; one whose secret we do not know gets a new one beside it."""
    client = await client_of(bus, place, credentials.get("client_id"), CLIENT)
    if client is None:
        new_client = await bus.call(
            _system(place),
            CreateClient(
                name=CLIENT,
                redirect_uris=CALLBACKS,
                post_logout_redirect_uris=[uri.removesuffix("callback") for uri in CALLBACKS],
                grant_types=["authorization_code", "refresh_token", "client_credentials"],
                first_party=True,
                scopes=["openid", "profile", "email", "offline_access", "account"],
            ),
        )
        return {"client_id": new_client.client_id, "client_secret": new_client.client_secret or ""}
    if credentials.get("client_id") == client and "client_secret" in credentials:
        return {}
    request = RotateClientSecret(client=client, overlap=DAY)
    fresh = await bus.call(_system(place), request)
    return {"client_id": client, "client_secret": fresh.client_secret}


async def client_of(bus: Bus, place: Place, client_id: str | None, name: str) -> str | None:
    """Returns the client_id of the known client, or of one with the name. None if there is none."""
    if client_id is not None:
        try:
            return (await bus.call(_system(place), GetClient(client=client_id))).client_id
        except ClientNotFound:
            return None
    listed = await bus.call(_system(place), ListClients(limit=100))
    return next((one.client_id for one in listed.clients if one.name == name), None)


async def _user(bus: Bus, place: Place, credentials: Known) -> Known:
    if "user_password" in credentials:
        return {}
    return {"user_password": await create_user(bus, place, USER, "Demo User")}


async def create_user(bus: Bus, place: Place, email: str, name: str) -> str:
    """Creates a user with a verified address. Returns their password, empty if somebody else has
    created them."""
    chosen = password()[:20]
    request = CreateUser(
        email=email, email_verified=True, password=chosen, profile=Profile(name=name)
    )
    try:
        await bus.call(_system(place), request)
    except EmailTaken:
        return ""
    return chosen


def _system(place: Place) -> Context:
    return system_context(place.app_id, within=15, home=place.home)
