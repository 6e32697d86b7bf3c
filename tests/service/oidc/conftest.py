"""The oidc service on a real database, with a stand-in for rbac."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import jwt
import pytest_asyncio
from tests.kit.postgres import Postgres

from common.acr import PASSWORD
from common.addresses import address_key
from common.audit import Entry
from common.context import Caller, Context
from common.contracts.app_settings import AppSettings
from common.contracts.authorization import Authorization, Authorize, ResumeAuthorization, SignedIn
from common.contracts.base import Request
from common.contracts.clients import CreateClient, NewClient
from common.contracts.keys import EnsureKeys, GetJwks
from common.contracts.rights import GetRights, Rights
from common.contracts.tenants import GetTenant, Tenant
from common.contracts.tokens import ExchangeToken, Tokens
from common.crypto import Keys
from common.db import Database
from common.ids import new_id
from common.testing import LocalBus, MemoryActivity, MemoryChanges, context, service_deps
from oidc.deps import Deps
from oidc.handlers import HANDLERS
from oidc.settings import Settings as OidcSettings

KEYS = "k1:" + "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
ORIGIN = "https://acme.example.test"
CALLBACK = "https://rp.example.com/cb"
ADMIN = Caller("secret_key", "key", frozenset({"*"}))


@dataclass
class Person:
    """A user with a live session."""

    user_id: str
    session: SignedIn


@dataclass
class World:
    """Everything a test of this service works with; `deps2` is a second replica."""

    deps: Deps
    deps2: Deps
    bus: LocalBus
    bus2: LocalBus
    changes: MemoryChanges
    activity: MemoryActivity
    owner: asyncpg.Connection[asyncpg.Record]
    app_id: str
    sweep_db: Database
    rights: dict[str, Rights] = field(default_factory=dict)
    settings: AppSettings = field(default_factory=AppSettings)

    def ctx(self, caller: Caller | None = None, app_id: str | None = None, **more: Any) -> Context:
        return context(
            app_id or self.app_id, caller, **{"origin": ORIGIN, "ip": "192.0.2.1"} | more
        )

    async def call(self, request: Request[Any], caller: Caller | None = None) -> Any:
        return await self.bus.call(self.ctx(caller), request)

    async def admin(self, request: Request[Any]) -> Any:
        return await self.call(request, ADMIN)

    async def permission(self, id: str) -> None:
        """Makes sure that the application has this permission."""
        await self.owner.execute(
            """INSERT INTO permissions (app_id, id, name, resource, action)
               VALUES ($1, $2, $2, split_part($2, ':', 1), split_part($2, ':', 2))
               ON CONFLICT DO NOTHING""",
            self.app_id,
            id,
        )

    async def client(self, **fields: Any) -> NewClient:
        defaults: dict[str, Any] = {"name": "RP", "redirect_uris": [CALLBACK], "first_party": True}
        made = await self.admin(CreateClient(**defaults | fields))
        assert isinstance(made, NewClient)
        return made

    async def person(self, *, app_id: str | None = None, **columns: Any) -> Person:
        user_id, app = new_id(), app_id or self.app_id
        fields = {"email": f"{user_id[-8:]}@example.com", "name": "Ann Example"} | columns
        if fields["email"] is not None:
            fields["email_normalized"] = address_key(fields["email"])
        names = ", ".join(fields)
        marks = ", ".join(f"${n + 3}" for n in range(len(fields)))
        await self.owner.execute(
            f"INSERT INTO users (app_id, id, {names}) VALUES ($1, $2, {marks})",
            app,
            user_id,
            *fields.values(),
        )
        return Person(user_id, await self.session(user_id, app_id=app))

    async def session(
        self,
        user_id: str,
        *,
        app_id: str | None = None,
        ago: float = 0,
        acr: str | None = PASSWORD,
    ) -> SignedIn:
        session_id, app = new_id(), app_id or self.app_id
        await self.owner.execute(
            """INSERT INTO user_sessions (app_id, id, user_id, token_hash, expires_at, auth_time,
                                          acr, amr)
               VALUES ($1, $2, $3, $4, now() + interval '1 day',
                       now() - make_interval(secs => $5), $6, '{pwd}')""",
            app,
            session_id,
            user_id,
            secrets.token_hex(),
            ago,
            acr,
        )
        at = await self.owner.fetchval(
            "SELECT auth_time FROM user_sessions WHERE id = $1", session_id
        )
        return SignedIn(session_id=session_id, user_id=user_id, auth_time=at, acr=acr, amr=["pwd"])

    async def authorize(
        self, client: NewClient, person: Person | None, /, *more: tuple[str, str], **params: Any
    ) -> Authorization:
        given = self.request(client, **params)
        answer = await self.call(
            Authorize(params=[*given.items(), *more], session=person.session if person else None)
        )
        assert isinstance(answer, Authorization)
        return answer

    def request(self, client: NewClient, **params: Any) -> dict[str, str]:
        """A valid authorization request; None leaves a parameter out."""
        defaults = {
            "client_id": client.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email",
            "state": "st",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {k: v for k, v in (defaults | params).items() if v is not None}

    async def resume(
        self, request: str | None, person: Person | None, **more: Any
    ) -> Authorization:
        assert request is not None
        session = person.session if person else None
        answer = await self.call(ResumeAuthorization(request=request, session=session, **more))
        assert isinstance(answer, Authorization)
        return answer

    async def code(self, client: NewClient, person: Person, **params: Any) -> str:
        return fields(await self.authorize(client, person, **params))["code"]

    async def token(
        self, client: NewClient | None = None, /, *, bus: LocalBus | None = None, **params: Any
    ) -> Tokens:
        """A token request, authenticated by Basic where the client has a secret."""
        given = {k: v for k, v in params.items() if v is not None}
        basic = None
        if client is not None and client.client_secret is not None:
            basic = basic_of(client.client_id, client.client_secret)
        elif client is not None:
            given.setdefault("client_id", client.client_id)
        request = ExchangeToken(params=list(given.items()), basic=basic)
        answer = await (bus or self.bus).call(self.ctx(), request)
        assert isinstance(answer, Tokens)
        return answer

    async def redeem(
        self, client: NewClient, code: str, *, bus: LocalBus | None = None, **params: Any
    ) -> Tokens:
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return await self.token(client, bus=bus, **given | params)

    async def refresh(self, client: NewClient, token: str | None, **params: Any) -> Tokens:
        return await self.token(client, grant_type="refresh_token", refresh_token=token, **params)

    async def tokens(self, client: NewClient, person: Person, **params: Any) -> Tokens:
        return await self.redeem(client, await self.code(client, person, **params))

    async def claims(self, token: str | None, audience: str | None = None) -> dict[str, Any]:
        """As a relying party verifies it: with the published keys, by an independent library."""
        assert token is not None
        jwks = (await self.call(GetJwks())).model_dump()
        header = jwt.get_unverified_header(token)
        key = next(jwk for jwk in jwks["keys"] if jwk["kid"] == header["kid"])
        return jwt.decode(
            token,
            jwt.PyJWK(key),
            algorithms=[key["alg"]],
            audience=audience or ORIGIN,
            issuer=ORIGIN,
        )

    async def events(self, *types: str) -> list[str]:
        rows = await self.owner.fetch("SELECT event_type FROM audit_logs ORDER BY id")
        found = [row["event_type"] for row in rows]
        return [name for name in found if name in types] if types else found

    def noted(self, user_id: str) -> list[Entry]:
        """The activity of one user."""
        return [made for made in self.activity.noted if made.user_id == user_id]


VERIFIER = "v" * 43


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def basic_of(client_id: str, secret: str) -> str:
    return base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def fields(answer: Authorization) -> dict[str, str]:
    """What the client gets, in whichever response mode."""
    if answer.kind == "form_post":
        return dict(answer.fields)
    assert answer.kind == "redirect", answer
    assert answer.location is not None
    parts = urlsplit(answer.location)
    return dict(parse_qsl(parts.query or parts.fragment, keep_blank_values=True))


async def new_world(database: dict[str, str], **settings: Any) -> World:
    read = OidcSettings(
        master_key=KEYS,
        database_url=database["oidc"],
        relay_database_url=database["relay"],
        sweep_database_url=database["sweep"],
        logout_database_url=database["logout"],
        **settings,
    )
    bus, bus2, changes, activity = LocalBus(), LocalBus(), MemoryChanges(), MemoryActivity()
    owner = await asyncpg.connect(database["owner"])
    await owner.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")

    sweep_db = await Database.connect(database["sweep"], name="sweep", size=2)

    async def replica(on: LocalBus) -> Deps:
        db = await Database.connect(database["oidc"], name="oidc", size=10)
        keys = Keys.parse(KEYS)
        common = service_deps(db, on, keys, invalidation=changes, activity=activity)
        return Deps(
            **common.shared(),
            logout_db=await Database.connect(database["logout"], name="logout", size=2),
            sweep_db=sweep_db,
            settings=read,
        )

    deps, deps2 = await replica(bus), await replica(bus2)
    app_id = await new_app(owner)
    world = World(deps, deps2, bus, bus2, changes, activity, owner, app_id, sweep_db)

    async def rights(_: Any, ctx: Context, request: GetRights) -> Rights:
        return world.rights.get(request.user_id, Rights())

    async def tenant(_: Any, ctx: Context, request: GetTenant) -> Tenant:
        return Tenant(
            app_id=ctx.app_id,
            slug="a",
            name="A",
            state="active",
            host="a",
            hosts=["a"],
            origin=ORIGIN,
            settings=world.settings,
        )

    for on, made in ((bus, deps), (bus2, deps2)):
        on.serve(made, dict(HANDLERS))
        on.serve(None, {GetRights: rights, GetTenant: tenant})
    # what one replica announces, the other hears
    heard = changes.publish

    async def publish(ctx: Context, noun: str, id: str = "*") -> None:
        await heard(ctx, noun, id)
        deps.known.heard(ctx.app_id, noun, id)
        deps2.known.heard(ctx.app_id, noun, id)

    changes.publish = publish  # type: ignore[method-assign]
    await bus.call(
        replace(context(app_id), caller=Caller("system", None, frozenset({"*"}))), EnsureKeys()
    )
    return world


async def new_app(owner: asyncpg.Connection[asyncpg.Record], slug: str | None = None) -> str:
    app_id = new_id()
    await owner.execute(
        "INSERT INTO applications (id, slug, name, state) VALUES ($1, $2, 'App', 'active')",
        app_id,
        slug or f"app-{secrets.token_hex(4)}",
    )
    return app_id


async def close(world: World) -> None:
    for deps in (world.deps, world.deps2):
        await deps.db.close()
        await deps.logout_db.close()
        deps.pool.close()
    await world.sweep_db.close()
    await world.owner.close()


@pytest_asyncio.fixture
async def world(postgres: Postgres) -> AsyncIterator[World]:
    """A world of the test's own."""
    name = postgres.clone()
    made = await new_world(postgres.dsns(name))
    yield made
    await close(made)
    postgres.drop(name)


@pytest_asyncio.fixture(scope="module")
async def shared(postgres: Postgres) -> AsyncIterator[World]:
    """A world shared by a module's tests, each with clients and users of its own."""
    name = postgres.clone()
    made = await new_world(postgres.dsns(name))
    yield made
    await close(made)
    postgres.drop(name)


def soon() -> datetime:
    return datetime.now(UTC)
