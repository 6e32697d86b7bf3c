"""Every service at once, each as its own database role, and two applications that mirror each other.

`home` asks, `away` is asked for. Both have one of everything under the same names, addresses and
slugs; everything that can carry a text carries the application's own word, so that one byte of the
other's data in an answer is seen.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import orjson
from pydantic import SecretStr

from common.bus import Handler
from common.context import SYSTEM_CALLER, Caller, Context
from common.contracts.applications import CreateApplication, ListApplications
from common.contracts.assignments import AssignRole
from common.contracts.audit_log import ListAudit
from common.contracts.authorization import Authorize, SignedIn
from common.contracts.base import Request
from common.contracts.client_secrets import ListClientSecrets
from common.contracts.clients import CreateClient
from common.contracts.domains import AddCustomDomain
from common.contracts.email_codes import StartEmailCode
from common.contracts.invitations import InviteUser
from common.contracts.members import AddMember
from common.contracts.org_domains import AddOrganizationDomain
from common.contracts.org_invitations import InviteMember
from common.contracts.organizations import CreateOrganization
from common.contracts.passwords import SignInWithPassword, StartReset
from common.contracts.permissions import CreatePermission
from common.contracts.profiles import Profile
from common.contracts.resources import CreateResource
from common.contracts.roles import CreateRole, SeedRoles
from common.contracts.scopes import CreateScope
from common.contracts.sign_up import SignUp
from common.contracts.tokens import ExchangeToken
from common.contracts.users import CreateUser
from common.crypto import Keys
from common.db import Database
from common.egress import Egress
from common.hash_pool import FairPool
from common.ids import DASHBOARD, new_id
from common.outgoing_http import OutgoingHttp
from common.sealing import Sealer
from common.testing import LocalBus, MemoryActivity, MemoryChanges, context, service_deps
from identity.deps import Deps as IdentityDeps
from identity.handlers import HANDLERS as IDENTITY
from identity.hashing import Hashing
from identity.last_active import LastActive
from identity.limits import Limits
from oidc.deps import Deps as OidcDeps
from oidc.handlers import HANDLERS as OIDC
from oidc.settings import Settings as OidcSettings
from rbac.deps import Deps as RbacDeps
from rbac.handlers import HANDLERS as RBAC
from tenancy.deps import Deps as TenancyDeps
from tenancy.handlers import HANDLERS as TENANCY
from tenancy.hosts import Hosts
from tenancy.key_usage import KeyUsage

MASTER = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEYS = Keys.parse(MASTER)
PASSWORD = "six unusual otters juggle"
CALLBACK = "https://rp.example.com/cb"
BROWSER = "a-browser-of-ours-that-is-long-enough-0000"
VERIFIER = "v" * 43
KEY_HOLDER = Caller("secret_key", "01900000-0000-7000-8000-0000000000ff", frozenset({"*"}))


@dataclass
class Side:
    """One application with one of everything. `things` are found by the name of a field, or by
    `<contract>.<field>` where the name alone is ambiguous."""

    word: str
    app_id: str
    slug: str
    team: str
    developer: Caller
    things: dict[str, Any] = field(default_factory=dict)
    ada: Caller = field(default_factory=Caller)
    session: SignedIn | None = None

    @property
    def origin(self) -> str:
        return f"http://{self.slug}.localhost:8080"


@dataclass
class World:
    bus: LocalBus
    owner: asyncpg.Connection[asyncpg.Record]
    sealer: Sealer
    identity: Database
    home: Side = field(init=False)
    away: Side = field(init=False)

    def ctx(self, side: Side, caller: Caller | None = None) -> Context:
        return context(
            side.app_id, caller, within=20, ip="203.0.113.5", agent="Firefox", origin=side.origin
        )

    async def ask(self, side: Side, caller: Caller | None, request: Request[Any]) -> Any:
        return await self.bus.call(self.ctx(side, caller), request)

    async def mails(self, side: Side) -> list[dict[str, Any]]:
        """Waiting mails with their kind, the newest first."""
        rows = await self.owner.fetch(
            "SELECT id, kind, sealed FROM mail_outbox WHERE app_id = $1 ORDER BY seq DESC",
            side.app_id,
        )
        found = []
        async with self.identity.reading(self.ctx(side)) as db:
            for row in rows:
                place = ("mail_outbox", "sealed", row["id"])
                plain = await self.sealer.open(db, side.app_id, place, row["sealed"])
                found.append({"kind": row["kind"], **orjson.loads(plain)})
        return found

    async def rows(self, app_id: str) -> dict[str, str]:
        """What stands in each table of an application: any change shows."""
        tables = await self.owner.fetch(
            """
            SELECT DISTINCT c.relname FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'app_id'
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND c.relnamespace = 'public'::regnamespace
              AND c.relname <> 'rate_limits'
            """
        )
        found = {}
        for table in sorted(row["relname"] for row in tables):
            found[table] = await self.owner.fetchval(
                f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') "
                f"FROM {table} t WHERE app_id = $1",
                app_id,
            )
        found["applications"] = await self.owner.fetchval(
            "SELECT md5(a::text) FROM applications a WHERE id = $1", app_id
        )
        return found


@asynccontextmanager
async def built(dsns: dict[str, str]) -> AsyncIterator[World]:
    """All services on one bus, nothing in the database yet."""
    owner = await asyncpg.connect(dsns["owner"])
    await owner.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    pools = {
        role: await Database.connect(dsns[role], name=role, size=4)
        for role in (
            "identity",
            "tenancy",
            "oidc",
            "rbac",
            "upkeep",
            "logout",
            "relay",
            "mail",
            "sweep",
        )
    }
    bus, changes, activity = LocalBus(), MemoryChanges(), MemoryActivity()

    def shared(service: str) -> dict[str, Any]:
        common = service_deps(pools[service], bus, KEYS, invalidation=changes, activity=activity)
        return replace(common, relay_db=pools["relay"]).shared()

    hashing = FairPool(per_app=200, total=1000)
    identity = IdentityDeps(
        **shared("identity"),
        mail_db=pools["mail"],
        sweep_db=pools["sweep"],
        hashing=Hashing(hashing),
        last_active=LastActive(pools["identity"]),
        limits=Limits(pools["identity"], KEYS, 1000.0),
        http=OutgoingHttp(Egress(private=True)),
    )
    oidc = OidcDeps(
        **shared("oidc"),
        logout_db=pools["logout"],
        sweep_db=pools["sweep"],
        settings=OidcSettings(
            master_key=SecretStr(MASTER),
            database_url=SecretStr(dsns["oidc"]),
            relay_database_url=SecretStr(dsns["relay"]),
            sweep_database_url=SecretStr(dsns["sweep"]),
            logout_database_url=SecretStr(dsns["logout"]),
        ),
    )
    tenancy = TenancyDeps(
        **shared("tenancy"),
        upkeep_db=pools["upkeep"],
        sweep_db=pools["sweep"],
        hosts=Hosts("http", "localhost:8080"),
        usage=KeyUsage(pools["upkeep"]),
    )
    rbac = RbacDeps(**shared("rbac"))
    served: list[tuple[Any, dict[type[Request[Any]], Handler]]] = [
        (identity, IDENTITY),
        (oidc, OIDC),
        (tenancy, TENANCY),
        (rbac, RBAC),
    ]
    for deps, handlers in served:
        bus.serve(deps, handlers)
    try:
        yield World(bus, owner, Sealer(KEYS), pools["identity"])
    finally:
        for pool in pools.values():
            await pool.close()
        await owner.close()
        hashing.close()
        oidc.pool.close()


async def populate(world: World) -> None:
    system = context(DASHBOARD, SYSTEM_CALLER, within=20)
    await world.bus.call(system, SeedRoles(template="dashboard"))
    world.home = await _side(world, "okapi")
    world.away = await _side(world, "zebra")
    for side in (world.home, world.away):
        await _people(world, side)
        await _rights(world, side)
        await _organization(world, side)
        await _clients(world, side)
        await _secrets_by_mail(world, side)
        await _rest(world, side)


async def _side(world: World, word: str) -> Side:
    """A developer, his team and its application."""
    user, team = new_id(), new_id()
    await world.owner.execute(
        "INSERT INTO users (app_id, id, email, email_normalized, email_verified)"
        " VALUES ($1, $2, $3, $3, true)",
        DASHBOARD,
        user,
        f"{word}@developers.example",
    )
    await world.owner.execute(
        "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, $4)",
        DASHBOARD,
        team,
        f"team-{word}",
        f"Team {word}",
    )
    await world.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
        " VALUES ($1, $2, $3, 'admin')",
        DASHBOARD,
        team,
        user,
    )
    may = ("create", "read", "write", "delete", "transfer")
    developer = Caller("user", user, frozenset({f"apps:{verb}" for verb in may}), frozenset({team}))
    made = await world.bus.call(
        context(DASHBOARD, developer, within=20),
        CreateApplication(name=f"The {word}", owner_org_id=team),
    )
    side = Side(word, made.id, made.slug, team, developer)
    keys = {key.key_type: key for key in made.api_keys}
    side.things |= {
        "slug": made.slug,
        "confirm": made.slug,
        "owner_org_id": team,
        "host": f"{made.slug}.localhost:8080",
        "key": keys["secret"].key,
        "RevokeApiKey.id": keys["secret"].id,
        "RotateApiKey.id": keys["secret"].id,
    }
    return side


async def _people(world: World, side: Side) -> None:
    """Ada signs in; bob is the one things are done to. Same addresses on both sides."""
    made = {}
    for name in ("ada", "bob"):
        made[name] = await world.ask(
            side,
            KEY_HOLDER,
            CreateUser(
                email=f"{name}@example.com",
                email_verified=True,
                password=PASSWORD,
                profile=Profile(name=f"{name} {side.word}"),
                public_metadata={"word": side.word},
            ),
        )
    signed = {
        name: await world.ask(
            side, None, SignInWithPassword(email=f"{name}@example.com", password=PASSWORD)
        )
        for name in made
    }
    session = signed["ada"].session
    side.session = SignedIn(
        session_id=session.id, user_id=session.user_id, auth_time=session.auth_time
    )
    side.ada = Caller("user", made["ada"].id, frozenset(), session_id=session.id)
    side.things |= {
        "user_id": made["bob"].id,
        "session_id": signed["bob"].session.id,
        "CheckSession.token": signed["bob"].token,
        "SignOut.token": signed["bob"].token,
        "email": "bob@example.com",
        "password": PASSWORD,
        "ImportUsers.users": [{"id": new_id(), "email": "imported@example.com"}],
    }


async def _rights(world: World, side: Side) -> None:
    permission = await world.ask(
        side,
        KEY_HOLDER,
        CreatePermission(name=f"zoo:{side.word}", description=f"Feed the {side.word}"),
    )
    role = await world.ask(
        side,
        KEY_HOLDER,
        CreateRole(
            id=f"keeper-{side.word}", name=f"Keeper of {side.word}", permissions=[permission.id]
        ),
    )
    await world.ask(side, KEY_HOLDER, AssignRole(user_id=side.things["user_id"], role_id=role.id))
    side.things |= {"role_id": role.id, "permission_id": permission.id}


async def _organization(world: World, side: Side) -> None:
    org = await world.ask(
        side, side.ada, CreateOrganization(name=f"House of {side.word}", slug="house")
    )
    user = side.things["user_id"]
    await world.ask(side, KEY_HOLDER, AddMember(org_id=org.id, user_id=user))
    invited = await world.ask(
        side, side.ada, InviteMember(org_id=org.id, email=f"eve-{side.word}@example.com")
    )
    domain = await world.ask(
        side, side.ada, AddOrganizationDomain(org_id=org.id, domain=f"{side.word}.example")
    )
    token = _token((await world.mails(side))[0])
    side.things |= {
        "org_id": org.id,
        "domain_id": domain.id,
        "ResendOrganizationInvitation.invitation_id": invited.id,
        "RevokeOrganizationInvitation.invitation_id": invited.id,
        "AcceptOrganizationInvitation.token": token,
        "GetOrganizationOffer.token": token,
    }


async def _clients(world: World, side: Side) -> None:
    made = await world.ask(
        side,
        KEY_HOLDER,
        CreateClient(
            name=f"Client {side.word}",
            redirect_uris=[CALLBACK],
            first_party=True,
            grant_types=["authorization_code", "refresh_token", "client_credentials"],
        ),
    )
    asked = {
        "client_id": made.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
        "state": "s",
        "code_challenge": _challenge(),
        "code_challenge_method": "S256",
    }
    params = list(asked.items())
    pending = await world.ask(side, None, Authorize(params=params))
    code = await _code(world, side, params)
    tokens = await world.ask(
        side,
        None,
        ExchangeToken(params=_redeem(code), basic=_basic(made.client_id, made.client_secret)),
    )
    secrets = await world.ask(side, KEY_HOLDER, ListClientSecrets(client=made.client_id))
    basic = _basic(made.client_id, made.client_secret)
    side.things |= {
        "client": made.client_id,
        "client_id": made.client_id,
        "secret_id": secrets.secrets[0].id,
        "basic": basic,
        "request": pending.request,
        "Authorize.params": params,
        "ExchangeToken.params": _redeem(await _code(world, side, params)),
        "IntrospectToken.params": [("token", tokens.access_token)],
        "RevokeToken.params": [("token", tokens.refresh_token)],
        "LogOut.params": [("id_token_hint", tokens.id_token)],
        "CheckAccessToken.token": tokens.access_token,
        "GetUserinfo.token": tokens.access_token,
        "session": side.session,
    }


async def _code(world: World, side: Side, params: list[tuple[str, str]]) -> str:
    answer = await world.ask(side, None, Authorize(params=params, session=side.session))
    assert answer.location is not None, answer
    return parse_qs(urlsplit(answer.location).query)["code"][0]


def _redeem(code: str) -> list[tuple[str, str]]:
    return [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]


def _challenge() -> str:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _basic(client_id: str, secret: str | None) -> str:
    return base64.b64encode(f"{client_id}:{secret}".encode()).decode()


async def _secrets_by_mail(world: World, side: Side) -> None:
    """What only the mailbox knows: codes and links of every kind."""
    flow = await world.ask(side, None, StartEmailCode(email="ada@example.com", browser=BROWSER))
    letter = (await world.mails(side))[0]
    side.things |= {
        "SignInWithCode.flow": flow.flow,
        "SignInWithCode.code": letter["data"]["code"],
        "SignInWithLink.token": _token(letter),
        "browser": BROWSER,
        "ConfirmEmail.flow": flow.flow,
        "ConfirmEmail.code": letter["data"]["code"],
    }
    pending = await world.ask(
        side, None, SignUp(email=f"new-{side.word}@example.com", password=PASSWORD, browser=BROWSER)
    )
    side.things["ResendSignUp.flow"] = pending.flow
    await world.ask(side, None, StartReset(email="bob@example.com", browser=BROWSER))
    side.things["ResetPassword.token"] = _token((await world.mails(side))[0])
    invited = await world.ask(side, KEY_HOLDER, InviteUser(email=f"guest-{side.word}@example.com"))
    token = _token((await world.mails(side))[0])
    side.things |= {
        "ResendInvitation.invitation_id": invited.id,
        "RevokeInvitation.invitation_id": invited.id,
        "AcceptInvitation.token": token,
        "GetInvitation.token": token,
        "VerifyEmail.token": token,
        "GetOwnerLink.token": token,
        "ClaimOwner.token": token,
    }


def _token(letter: dict[str, Any]) -> str:
    found = re.search(r"token=([\w.-]+)", str(letter["data"]))
    assert found is not None, letter
    return found[1]


async def _rest(world: World, side: Side) -> None:
    resource = await world.ask(
        side,
        KEY_HOLDER,
        CreateResource(identifier="https://api.example.com", name=f"API {side.word}"),
    )
    scope = await world.ask(
        side, KEY_HOLDER, CreateScope(name="feed", description=f"Feed {side.word}")
    )
    domain = await world.ask(
        side, KEY_HOLDER, AddCustomDomain(domain=f"login.{side.word}.example.org")
    )
    logged = await world.ask(side, KEY_HOLDER, ListAudit(limit=1))
    side.things |= {
        "DeleteResource.id": resource.id,
        "DeleteScope.id": scope.id,
        "SetPrimaryDomain.id": domain.id,
        "RemoveCustomDomain.id": domain.id,
        "VerifyCustomDomain.id": domain.id,
        "domain": f"login.{side.word}.example.org",
        "GetAuditRecord.id": logged.audit_logs[0].id,
    }
    await world.ask(
        Side("", DASHBOARD, "dashboard", side.team, side.developer),
        side.developer,
        ListApplications(),
    )
