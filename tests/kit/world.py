"""Services in this process, on real Postgres, with stand-ins for the others.

world = await World.start(postgres.dsns(name), "identity")
world.app_id = await world.application()
user = await world.user("ada@example.com")
await world.close()
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from pydantic import SecretStr
from tests.kit.homes import AT_WEST, WEST, OwnerOfTwo, homes_of, is_double
from tests.kit.oauth import OAuthSteps
from tests.kit.stand_ins import StandIns, Tenancy

from common.attempt_limits import Limits
from common.audit_carrier import AuditCarrier
from common.bus import Handler
from common.cluster_admission import ClusterAdmission
from common.clusters import join
from common.context import Context
from common.contracts.applications import CreateApplication
from common.contracts.base import Request
from common.crypto import Keys
from common.db import Database
from common.egress import Egress
from common.hash_pool import FairPool
from common.homes import MAIN
from common.outgoing_http import OutgoingHttp
from common.sealing import Sealer
from common.tenants import Tenants
from common.testing import HOMES, LocalBus, MemoryActivity, MemoryInvalidation, service_deps
from identity.deps import Deps as IdentityDeps
from identity.handlers import HANDLERS as IDENTITY
from identity.hashing import Hashing
from identity.last_active import LastActive
from oidc.deps import Deps as OidcDeps
from oidc.handlers import HANDLERS as OIDC
from oidc.settings import Settings as OidcSettings
from rbac.deps import Deps as RbacDeps
from rbac.handlers import HANDLERS as RBAC
from tenancy.api_key_usage import KeyUsage
from tenancy.deps import Deps as TenancyDeps
from tenancy.dns_lookup import Dns
from tenancy.handlers import HANDLERS as TENANCY
from tenancy.hosts import Hosts

MASTER_KEY = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEYS = Keys.parse(MASTER_KEY)
ROLES = {
    "identity": ("identity", "relay", "mail", "search"),
    "oidc": ("oidc", "logout"),
    "rbac": ("rbac",),
    "tenancy": ("tenancy", "upkeep"),
}
"""The database roles of each service."""
HANDLERS: dict[str, dict[type[Request[Any]], Handler]] = {
    "identity": IDENTITY,
    "oidc": OIDC,
    "rbac": RBAC,
    "tenancy": TENANCY,
}


@dataclass
class OidcReplica:
    """A second process of oidc: it hears of changes, and shares nothing else."""

    bus: LocalBus
    oidc: OidcDeps


@dataclass
class World(OAuthSteps):
    """Some services and stand-ins on one bus. See `Calls`, `Factories` and `OAuthSteps`."""

    limit_scale: float = 1.0
    """Multiplies identity's flood limits."""
    keys: Keys = KEYS

    def __post_init__(self) -> None:
        self._deps: dict[str, Any] = {}
        self._replica: OidcReplica | None = None
        self._hash_pools: list[FairPool] = []
        self._registry_db: Database | None = None

    @classmethod
    async def start(
        cls,
        dsns: dict[str, str],
        *services: str,
        stand_ins: tuple[str, ...] = (),
        host: str = "shop.id.example.org",
        request_facts: dict[str, Any] | None = None,
        size: int = 8,
        limit_scale: float = 1.0,
        options: dict[str, dict[str, Any]] | None = None,
        oidc_settings: dict[str, Any] | None = None,
        bus: LocalBus | None = None,
        keys: Keys = KEYS,
    ) -> World:
        """Connects to the database and serves. `options` replace fields of a service's deps."""
        owner = await _owner(dsns)
        roles = {"sweep", *(role for name in services for role in ROLES[name])}
        if is_double(dsns):
            roles |= {"relay"}
        databases = {
            role: await open_database(dsns, role, size if role in services else 2) for role in roles
        }
        if is_double(dsns):
            databases |= {name: _carrying(name, databases) for name in services}
        bus = bus or LocalBus()
        world = cls(
            dsns,
            bus,
            MemoryInvalidation(),
            MemoryActivity(),
            owner,
            databases,
            Tenants(bus),
            Sealer(keys),
            StandIns(Tenancy(owner, host=host, homes=HOMES)),
            request_facts or {},
            limit_scale=limit_scale,
            keys=keys,
        )
        if is_double(dsns) and "tenancy" in services:
            world._registry_db = await _registry(dsns, databases["tenancy"], size)
        for name in stand_ins:
            bus.serve(None, world.stand_ins.handlers(name))
        for name in services:
            made = world._make(name, oidc_settings or {}, **(options or {}).get(name, {}))
            world._deps[name] = made
            bus.serve(made, HANDLERS[name])
        return world

    def _shared(self, service: str, bus: LocalBus, tenants: Tenants) -> dict[str, Any]:
        """Returns the fields that all services share."""
        common = service_deps(
            self.databases[service],
            bus,
            self.keys,
            invalidation=self.invalidation,
            activity=self.activity,
        )
        relay = self.databases.get("relay", common.relay_db)
        return replace(common, relay_db=relay, tenants=tenants, sealer=self.sealer).shared()

    def _make(self, service: str, oidc_settings: dict[str, Any], **options: Any) -> Any:
        if service == "identity":
            return self._make_identity(**options)
        if service == "tenancy":
            return self._make_tenancy(**options)
        if service == "oidc":
            return self._make_oidc(self.bus, self.tenants, **oidc_settings)
        return RbacDeps(**self._shared("rbac", self.bus, self.tenants))

    def _make_identity(self, **options: Any) -> IdentityDeps:
        db, pool = self.databases["identity"], FairPool(per_app=200, total=1000)
        self._hash_pools.append(pool)
        fields: dict[str, Any] = {
            "mail_db": self.databases["mail"],
            "sweep_db": self.databases["sweep"],
            "search_db": self.databases["search"],
            "hashing": Hashing(pool),
            "last_active": LastActive(db),
            "limits": Limits(db, self.keys, self.limit_scale),
            "http": OutgoingHttp(Egress(private=True)),
            "operator_mfa": "optional",
        }
        shared = self._shared("identity", self.bus, self.tenants)
        return IdentityDeps(**shared | fields | options)

    def _make_tenancy(self, **options: Any) -> TenancyDeps:
        fields: dict[str, Any] = {
            "upkeep_db": self.databases["upkeep"],
            "sweep_db": self.databases["sweep"],
            "hosts": Hosts("http", "localhost:8080"),
            "usage": KeyUsage(self.databases["upkeep"]),
            "dns": Dns(["127.0.0.1:9"]),
            "registry_db": self._registry_db,
        }
        shared = self._shared("tenancy", self.bus, self.tenants)
        return TenancyDeps(**shared | fields | options)

    def _make_oidc(self, bus: LocalBus, tenants: Tenants, **settings: Any) -> OidcDeps:
        return OidcDeps(
            **self._shared("oidc", bus, tenants),
            logout_db=self.databases["logout"],
            sweep_db=self.databases["sweep"],
            limits=Limits(self.databases["oidc"], self.keys, self.limit_scale),
            settings=OidcSettings(
                master_key=SecretStr(MASTER_KEY),
                database_url=SecretStr(self.dsns["oidc"]),
                relay_database_url=SecretStr(self.dsns["relay"]),
                sweep_database_url=SecretStr(self.dsns["sweep"]),
                logout_database_url=SecretStr(self.dsns["logout"]),
                **settings,
            ),
        )

    def add_oidc_replica(self, keys: Keys | None = None, **settings: Any) -> None:
        """Starts a second oidc on a bus of its own, perhaps with other master keys. Both hear what either
        one announces."""
        bus, keys = LocalBus(), keys or self.keys
        deps = self._make_oidc(bus, Tenants(bus), **settings)
        self._replica = OidcReplica(bus, replace(deps, keys=keys, sealer=Sealer(keys)))
        for name in ("rbac", "tenancy"):
            bus.serve(None, self.stand_ins.handlers(name))
        bus.serve(self._replica.oidc, OIDC)
        publish = self.invalidation.publish

        async def announce(ctx: Context, noun: str, id: str = "*") -> None:
            await publish(ctx, noun, id)
            for deps in (self.oidc, self.replica.oidc):
                deps.caches.drop(ctx.app_id, noun, id)

        self.invalidation.publish = announce  # type: ignore[method-assign]

    @property
    def home(self) -> str:
        """The cluster of `app_id`, whose jobs the services' deps here are for."""
        return self.homes.get(self.app_id, MAIN) if isinstance(self.owner, OwnerOfTwo) else MAIN

    @property
    def identity(self) -> IdentityDeps:
        deps: IdentityDeps = self._deps["identity"]
        return deps if self.home == MAIN else deps.at(self.home)

    @property
    def oidc(self) -> OidcDeps:
        deps: OidcDeps = self._deps["oidc"]
        return deps if self.home == MAIN else deps.at(self.home)

    @property
    def rbac(self) -> RbacDeps:
        deps: RbacDeps = self._deps["rbac"]
        return deps if self.home == MAIN else deps.at(self.home)

    @property
    def tenancy(self) -> TenancyDeps:
        deps: TenancyDeps = self._deps["tenancy"]
        return deps if self.home == MAIN else deps.at(self.home)

    def replace_deps(self, service: str, **fields: Any) -> None:
        """Serves from here on with other values of these fields of a service's deps."""
        self._deps[service] = replace(self._deps[service], **fields)
        self.bus.serve(self._deps[service], HANDLERS[service])

    def new_applications_in(self, home: str) -> None:
        if self.tenancy.new_applications_home != home:
            _, served = self.bus.handlers[CreateApplication]
            self._deps["tenancy"] = replace(served, new_applications_home=home)
            self.bus.serve(self._deps["tenancy"], HANDLERS["tenancy"])

    @property
    def owners(self) -> list[asyncpg.Connection[asyncpg.Record]]:
        """A superuser's connection to each cluster."""
        if isinstance(self.owner, OwnerOfTwo):
            return [self.owner.main, self.owner.west]
        return [self.owner]

    @property
    def main_owner(self) -> asyncpg.Connection[asyncpg.Record]:
        return self.owner.main if isinstance(self.owner, OwnerOfTwo) else self.owner

    @property
    def home_owner(self) -> asyncpg.Connection[asyncpg.Record]:
        """A superuser's connection to the cluster of `app_id`."""
        return self.west_owner if self.home == WEST else self.main_owner

    def dsn(self, role: str) -> str:
        """Returns the DSN of a role in the cluster of `app_id`."""
        return self.dsns[_key(role, self.home)]

    @property
    def west_owner(self) -> asyncpg.Connection[asyncpg.Record]:
        assert isinstance(self.owner, OwnerOfTwo)
        return self.owner.west

    @property
    def replica(self) -> OidcReplica:
        assert self._replica is not None, "add_oidc_replica() first"
        return self._replica

    @property
    def mail_db(self) -> Database:
        return self.databases["mail"].at(self.home)

    @property
    def sweep_db(self) -> Database:
        return self.databases["sweep"].at(self.home)

    async def close(self) -> None:
        """Closes pools and connections."""
        for database in (*self.databases.values(), *filter(None, [self._registry_db])):
            for each in database.everywhere():
                await each.close()
        await self.owner.close()
        for pool in self._hash_pools:
            pool.close()
        for deps in filter(None, (self._deps.get("oidc"), self._replica and self._replica.oidc)):
            deps.pool.close()


async def _owner(dsns: dict[str, str]) -> Any:
    connections = []
    for home in homes_of(dsns):
        owner = await asyncpg.connect(dsns[_key("owner", home)])
        await owner.set_type_codec(
            "uuid", schema="pg_catalog", encoder=str, decoder=str, format="text"
        )
        connections.append(owner)
    return OwnerOfTwo(connections[0], connections[1]) if len(connections) > 1 else connections[0]


async def open_database(dsns: dict[str, str], role: str, size: int) -> Database:
    """Connects as the role, to each cluster. The caller closes it everywhere."""
    admission = ClusterAdmission() if is_double(dsns) else None
    databases = [
        await Database.connect(
            dsns[_key(role, home)],
            name=role if home == MAIN else f"{role}-{home}",
            size=size,
            home=home,
            admission=admission,
        )
        for home in homes_of(dsns)
    ]
    return join(databases) if len(databases) > 1 else databases[0]


async def _registry(dsns: dict[str, str], db: Database, size: int) -> Database:
    opened = await Database.connect(
        dsns["tenancy"], name="registry", size=size, admission=ClusterAdmission(), is_registry=True
    )
    return replace(opened, carry=db.carry)


def _carrying(service: str, databases: dict[str, Database]) -> Database:
    """Returns the databases of a service, which carry events between the clusters after each commit."""
    db, relay_db = databases[service], databases["relay"]
    return join(
        [
            replace(each, carry=AuditCarrier(service, db, relay_db.at(each.home)).carry)
            for each in db.everywhere()
        ]
    )


def _key(role: str, home: str) -> str:
    return role if home == MAIN else f"{role}{AT_WEST}"
