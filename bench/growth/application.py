"""The application that grows, the services that serve it, and one user who works with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from tests.kit.callers import ADMIN, FIREFOX, OPERATOR, as_user
from tests.kit.factories import Person
from tests.kit.world import KEYS, World

from bench.growth.rows import LAST_SEQ, Growth
from common.context import SYSTEM_CALLER, Caller
from common.contracts.authorization import SignedIn
from common.contracts.base import Request
from common.contracts.clients import NewClient
from common.contracts.keys import EnsureKeys
from common.contracts.organizations import Organization
from common.contracts.profiles import User
from common.contracts.roles import SeedRoles
from common.contracts.sessions import SignedInSession
from common.contracts.tokens import Tokens
from common.cursors import Cursors
from common.ids import DASHBOARD

SERVICES: Final = ("identity", "oidc", "rbac", "tenancy")
SLUG: Final = "grown"
FACTS: Final = {
    "origin": f"http://{SLUG}.localhost:8080",
    "ip": "192.0.2.7",
    "agent": FIREFOX,
    "within": 600,
}
"""What each request to the application holds."""
SCOPE: Final = "openid email offline_access"
Place = tuple[str, ...]


@dataclass(frozen=True)
class JumpingCursors(Cursors):
    """Opens any list at `place` instead of at its cursor: a page far on without the pages before it."""

    place: list[str] = field(default_factory=list)

    def read(self, app_id: str, of: str, cursor: str | None, count: int) -> tuple[str | None, ...]:
        """Returns the values of the place, or those of the cursor if there is no place."""
        return tuple(self.place) or super().read(app_id, of, cursor, count)


@dataclass
class BenchApplication:
    """An application with users of its own beside the rows that it is filled with."""

    world: World
    cursors: JumpingCursors
    user: User
    signed_in: SignedInSession
    organization: Organization
    client: NewClient
    person: Person
    tokens: Tokens
    reader: SignedInSession
    """Another user, who only reads, and so has the same number of records in each measurement."""
    operator: Caller
    now: datetime
    rows: int = 0

    @property
    def app_id(self) -> str:
        return self.world.app_id

    @property
    def caller(self) -> Caller:
        """Returns the user, as the gateway knows them by their session."""
        return as_user(self.signed_in)

    def growth(self, first: int, last: int) -> Growth:
        """Returns some rows of the application."""
        ids = UUID(self.app_id), UUID(self.organization.id)
        return Growth(ids[0], self.now, first, last, ids[1], self.client.client_id)

    async def ask(
        self, request: Request[Any], caller: Caller = ADMIN, app_id: str | None = None
    ) -> Any:
        """Returns the reply to a request, by default of a secret key."""
        return await self.world.call(request, caller, app_id)

    def middle(self, kind: str, *more: str) -> Place:
        """Returns the place of the row in the middle: its time and its id."""
        number, growth = self.rows // 2, self.growth(0, self.rows)
        return (growth.at(number).isoformat(), str(growth.id(kind, number)), *more)

    def middle_id(self, kind: str) -> str:
        """Returns the id of the row in the middle, of tables that have a tenth of the rows."""
        return str(self.growth(0, self.rows).id(kind, self.rows // 20 * 10))

    def middle_seq(self) -> str:
        """Returns the place of the middle of the audit chain."""
        return str(LAST_SEQ - self.rows // 2)


async def clear_traces(owner: asyncpg.Connection[asyncpg.Record], app: BenchApplication) -> None:
    """Deletes what earlier questions left: the measurements would count it as growth."""
    await owner.execute("SET session_replication_role = replica")
    for table in ("audit_outbox", "mail_outbox"):
        await owner.execute(f"DELETE FROM {table}")
    await owner.execute("DELETE FROM user_sessions WHERE revoked_at IS NOT NULL")
    await owner.execute("DELETE FROM audit_logs WHERE created_at > $1", app.now)
    await owner.execute("SET session_replication_role = origin")
    await owner.execute(
        "INSERT INTO audit_logs (app_id, id, event_type, user_id, created_at)"
        " SELECT $1, gen_random_uuid(), 'session_started', $2, $3 FROM generate_series(1, 100)",
        app.app_id,
        app.reader.full().user_id,
        app.now - timedelta(minutes=1),
    )


@asynccontextmanager
async def started_application(dsns: Mapping[str, str]) -> AsyncIterator[BenchApplication]:
    """Starts the services in this process, and makes an application with a user and a client."""
    world = await World.start(dict(dsns), *SERVICES, request_facts=FACTS, limit_scale=1e4)
    try:
        cursors = JumpingCursors(KEYS)
        for service in SERVICES:
            world.replace_deps(service, cursors=cursors)
        await world.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
        await world.owner.execute("UPDATE applications SET state = 'active' WHERE is_dashboard")
        world.app_id = await world.application(SLUG)
        await world.call(EnsureKeys(), SYSTEM_CALLER)
        yield await _made(world, cursors)
    finally:
        await world.close()


async def _made(world: World, cursors: JumpingCursors) -> BenchApplication:
    user = await world.user("sample@mail.example", profile={"name": "Sample Person"})
    signed_in = await world.sign_in(user)
    session = signed_in.full()
    person = Person(
        user.id,
        SignedIn(
            session_id=session.id,
            user_id=user.id,
            auth_time=session.auth_time,
            acr=session.acr,
            amr=session.amr,
            factor_times=session.factor_times,
            second_factors=[],
        ),
    )
    client = await world.client(grant_types=["authorization_code", "refresh_token"])
    return BenchApplication(
        world,
        cursors,
        user,
        signed_in,
        await world.organization(as_user(signed_in), "Big Works"),
        client,
        person,
        await world.tokens(client, person, scope=SCOPE),
        await world.sign_in(await world.user("reader@mail.example")),
        (await world.developer(permissions=OPERATOR | {"developers:read"})).caller,
        datetime.now(UTC) - timedelta(minutes=15),
    )


async def add_neighbours(
    owner: asyncpg.Connection[asyncpg.Record], count: int, now: datetime
) -> list[Growth]:
    """Inserts other applications. Returns ten rows of each, to be filled in."""
    ids = await owner.fetch(
        """
        INSERT INTO applications (id, slug, name, state)
        SELECT gen_random_uuid(), 'neighbour-' || i, 'Neighbour ' || i, 'active'
        FROM generate_series(1, $1) i RETURNING id
        """,
        count,
    )
    await owner.execute(
        "INSERT INTO roles (app_id, id, name) SELECT id, 'user', 'User' FROM applications"
        " WHERE slug LIKE 'neighbour-%'"
    )
    return [Growth(row["id"], now, 0, 10, row["id"], "client") for row in ids]
