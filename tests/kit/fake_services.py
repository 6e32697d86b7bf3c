"""Services that answer a gateway from dictionaries, and settings of that gateway."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, FastAPI

from common.context import Context
from common.contracts.api_keys import ApiKeyHolder, VerifyApiKey
from common.contracts.app_settings import AppSettings
from common.contracts.identity_providers import (
    ListPublicProviders,
    PublicProvider,
    PublicProviders,
)
from common.contracts.oauth_errors import InvalidToken
from common.contracts.rights import GetRights, Rights
from common.contracts.sessions import CheckSession, NoSession, Session
from common.contracts.tenants import ResolveHost, Tenant, UnknownHost
from common.contracts.tokens import AccessToken, CheckAccessToken
from common.ids import DASHBOARD, new_id
from common.problems import Unauthenticated
from common.testing import LocalBus
from gateway.app import GatewayApp
from gateway.settings import GatewaySettings


@dataclass
class FakeServices:
    """Two applications and the dashboard, their sessions, keys and tokens."""

    bus: LocalBus = field(default_factory=LocalBus)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    keys: dict[str, ApiKeyHolder] = field(default_factory=dict)
    tokens: dict[tuple[str, str], AccessToken] = field(default_factory=dict)
    rights: dict[str, list[str]] = field(default_factory=dict)
    contexts: list[Context] = field(default_factory=list)
    providers: dict[str, list[PublicProvider]] = field(default_factory=dict)
    with_organization_providers: set[str] = field(default_factory=set)
    """The applications with an organization that has a provider."""
    """By application."""
    checks: list[CheckSession] = field(default_factory=list)
    """The checks of sessions, in order."""

    def add(self, slug: str, **settings: Any) -> Tenant:
        host = f"{slug}.localhost:8080"
        tenant = Tenant(
            app_id=DASHBOARD if slug == "dashboard" else new_id(),
            slug=slug,
            name=slug.title(),
            state="active",
            is_dashboard=slug == "dashboard",
            host=host,
            hosts=[host],
            origin=f"http://{host}",
            settings=AppSettings(**settings),
        )
        self.tenants[host] = tenant
        return tenant

    def session(self, tenant: Tenant, token: str, *permissions: str) -> Session:
        now = datetime.now(UTC)
        made = Session(
            id=new_id(),
            user_id=new_id(),
            auth_time=now,
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
        self.sessions[tenant.app_id, token] = made
        self.rights[made.user_id] = list(permissions)
        return made

    def let_sign_ins_age(self) -> None:
        """Makes the last proof of everybody who is signed in an hour old."""
        old = {"auth_time": datetime.now(UTC) - timedelta(hours=1), "factor_times": {}}
        for known, session in self.sessions.items():
            self.sessions[known] = session.model_copy(update=old)

    def token(self, tenant: Tenant, token: str, session: Session | None = None) -> AccessToken:
        made = AccessToken(
            jti=new_id(),
            client_id="client_x",
            user_id=session.user_id if session else None,
            session_id=session.id if session else None,
            scopes=["openid"],
            expires_at=datetime.now(UTC) + timedelta(minutes=5),
        )
        self.tokens[tenant.app_id, token] = made
        return made

    def key(self, tenant: Tenant, key: str) -> ApiKeyHolder:
        kind = "secret" if key.startswith("sk") else "publishable"
        self.keys[key] = ApiKeyHolder(key_id=new_id(), app_id=tenant.app_id, key_type=kind)
        return self.keys[key]


async def _resolve(world: FakeServices, ctx: Context, request: ResolveHost) -> Tenant:
    if request.host not in world.tenants:
        raise UnknownHost
    return world.tenants[request.host]


async def _session(world: FakeServices, ctx: Context, request: CheckSession) -> Session:
    world.checks.append(request)
    if (ctx.app_id, request.token) not in world.sessions:
        raise NoSession
    return world.sessions[ctx.app_id, request.token]


async def _rights(world: FakeServices, ctx: Context, request: GetRights) -> Rights:
    return Rights(permissions=world.rights.get(request.user_id, []))


async def _key(world: FakeServices, ctx: Context, request: VerifyApiKey) -> ApiKeyHolder:
    if request.key not in world.keys:
        raise Unauthenticated("no such key")
    return world.keys[request.key]


async def _token(world: FakeServices, ctx: Context, request: CheckAccessToken) -> AccessToken:
    if (ctx.app_id, request.token) not in world.tokens:
        raise InvalidToken
    return world.tokens[ctx.app_id, request.token]


async def _providers(
    world: FakeServices, ctx: Context, request: ListPublicProviders
) -> PublicProviders:
    by_address = ctx.app_id in world.with_organization_providers
    return PublicProviders(idps=world.providers.get(ctx.app_id, []), by_address=by_address)


def serve(world: FakeServices) -> FakeServices:
    """Registers the handlers of the fake services on the bus."""
    world.bus.serve(
        world,
        {
            ResolveHost: _resolve,
            CheckSession: _session,
            GetRights: _rights,
            VerifyApiKey: _key,
            CheckAccessToken: _token,
            ListPublicProviders: _providers,
        },
    )
    return world


def settings(**more: Any) -> GatewaySettings:
    key = "k1:" + base64.b64encode(os.urandom(32)).decode()
    return GatewaySettings(master_key=key, **{"operator_mfa": "optional"} | more)


@contextmanager
def also(gateway_app: GatewayApp, router: APIRouter) -> Iterator[None]:
    """Adds `router` to both kinds of host, and removes it again, because the applications are
    shared."""
    apps = [
        app for app in (gateway_app.application, gateway_app.dashboard) if isinstance(app, FastAPI)
    ]
    lengths = [len(app.router.routes) for app in apps]
    for app in apps:
        app.include_router(router)
    yield
    for app, length in zip(apps, lengths, strict=True):
        del app.router.routes[length:]
        app.openapi_schema = None
