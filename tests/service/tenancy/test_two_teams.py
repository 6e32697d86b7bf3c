"""Two developers of two teams and three applications: nobody sees or changes another team's
application.

Random sequences of operations run against the service and against a model of ten lines. Both must
agree after every step, and the database must agree with the model at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kit.world import World

from common.context import Caller, Context
from common.contracts.api_keys import (
    ApiKeyNotFound,
    CreateApiKey,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
    VerifyApiKey,
)
from common.contracts.applications import (
    ApplicationPatch,
    DeleteApplication,
    GetApplication,
    ListApplications,
    TransferApplication,
    UpdateApplication,
)
from common.contracts.domains import AddCustomDomain, ListCustomDomains
from common.contracts.settings_change import GetSettings, SettingsChange, UpdateSettings
from common.contracts.tenants import ManageApplication
from common.ids import DASHBOARD
from common.problems import Invalid, NotFound, Problem
from common.testing import context

OPERATIONS = (
    "get",
    "list",
    "rename",
    "set",
    "key",
    "revoke",
    "rotate",
    "use",
    "domain",
    "give",
    "grab",
    "delete",
    "operator moves",
)
Step = tuple[str, int, int, int]
"""The operation, the developer, the application, and a number that varies it."""
STEPS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1), st.integers(0, 2), st.integers(0, 9)),
    min_size=5,
    max_size=40,
)


@dataclass
class App:
    """The state of an application in the model."""

    id: str
    slug: str
    owner: str
    name: str
    keys: dict[str, str]
    """Valid keys by id."""
    session_ttl: int = 86_400
    domains: set[str] = field(default_factory=set)
    dead: bool = False
    former: dict[str, str] = field(default_factory=dict)
    """Keys that were revoked or belonged to a deleted application."""


@dataclass
class Play:
    """The service and the model, side by side."""

    world: World
    teams: list[str]
    people: list[Context]
    apps: list[App]

    def mine(self, who: int, app: App) -> bool:
        return not app.dead and app.owner == self.teams[who]

    async def outcome(self, ctx: Context, request: Any) -> Any:
        try:
            return await self.world.call(request, fresh(ctx))
        except Problem as problem:
            return problem

    async def inside(self, who: int, app: App) -> Context | None:
        """Manages the application as the gateway does, or is refused."""
        managed = await self.outcome(self.people[who], ManageApplication(slug=app.slug))
        assert isinstance(managed, NotFound) != self.mine(who, app)
        if isinstance(managed, Problem):
            return None
        assert managed.tenant.app_id == app.id
        caller = self.people[who].caller
        developer = Caller(
            "developer", caller.id, frozenset(managed.permissions), teams=caller.teams
        )
        return context(app.id, developer)

    async def step(self, step: Step) -> None:
        operation, who, which, number = step
        ctx, app = self.people[who], self.apps[which]
        mine = self.mine(who, app)
        if operation == "list":
            listed = await self.outcome(ctx, ListApplications())
            owned = {app.id for app in self.apps if self.mine(who, app)}
            assert {found.id for found in listed.applications} == owned
        elif operation == "get":
            found = await self.outcome(ctx, GetApplication(slug=app.slug))
            assert isinstance(found, NotFound) if not mine else found.name == app.name
        elif operation == "rename":
            patch = ApplicationPatch(name=f"name {number}")
            done = await self.outcome(ctx, UpdateApplication(slug=app.slug, changes=patch))
            assert isinstance(done, NotFound) != mine
            app.name = f"name {number}" if mine else app.name
        elif operation == "give":
            other = self.teams[1 - who]
            done = await self.outcome(ctx, TransferApplication(slug=app.slug, owner_org_id=other))
            assert isinstance(done, Invalid if mine else NotFound)
        elif operation == "grab":
            own = self.teams[who]
            done = await self.outcome(ctx, TransferApplication(slug=app.slug, owner_org_id=own))
            assert isinstance(done, NotFound) != mine
        elif operation == "operator moves":
            await self._moved(app, self.teams[number % 2])
        elif operation == "delete" and number == 0:
            done = await self.outcome(ctx, DeleteApplication(slug=app.slug, confirm=app.slug))
            assert isinstance(done, NotFound) != mine
            if mine:
                app.dead = True
                app.former |= app.keys
                app.keys = {}
        elif operation == "use":
            await self._used(app)
        else:
            await self._inside(step)

    async def _moved(self, app: App, to: str) -> None:
        request = TransferApplication(slug=app.slug, owner_org_id=to)
        done = await self.outcome(await self.world.operator(), request)
        assert isinstance(done, NotFound) == app.dead
        app.owner = app.owner if app.dead else to

    async def _used(self, app: App) -> None:
        for key in app.keys.values():
            assert (await self.outcome(context(DASHBOARD), VerifyApiKey(key=key))).app_id == app.id
        for key in app.former.values():
            assert isinstance(
                await self.outcome(context(DASHBOARD), VerifyApiKey(key=key)), Problem
            )

    async def _inside(self, step: Step) -> None:
        operation, who, which, number = step
        app = self.apps[which]
        ctx = await self.inside(who, app)
        if ctx is None:
            return
        if operation == "set":
            change = SettingsChange(session_ttl=60 + number)
            done = await self.outcome(ctx, UpdateSettings(changes=change))
            app.session_ttl = done.session_ttl
            assert app.session_ttl == 60 + number
        elif operation == "key":
            made = await self.outcome(ctx, CreateApiKey(name=f"key {number}"))
            app.keys[made.id] = made.key
        elif operation == "domain":
            claimed = f"a{number}.example.org"
            if len(app.domains | {claimed}) <= 10:
                await self.world.call(AddCustomDomain(domain=claimed), ctx)
                app.domains.add(claimed)
        elif operation in ("revoke", "rotate"):
            await self._other_keys_too(ctx, operation, app, number)

    async def _other_keys_too(self, ctx: Context, operation: str, app: App, number: int) -> None:
        """Tries the id of any application's key. Only keys of the own application work."""
        known = [(owner, id) for owner in self.apps for id in owner.keys]
        if not known:
            return
        owner, id = known[number % len(known)]
        request = RevokeApiKey(id=id) if operation == "revoke" else RotateApiKey(id=id)
        done = await self.outcome(ctx, request)
        if owner is not app:
            assert isinstance(done, ApiKeyNotFound)
        elif operation == "revoke":
            assert not isinstance(done, Problem)
            app.former[id] = app.keys.pop(id)
        elif not isinstance(done, Problem):
            app.keys[done.id] = done.key

    async def agree(self) -> None:
        """Compares the database with the model, as each application's own team sees it."""
        for app in self.apps:
            if app.dead:
                left = await self.world.owner.fetchval(
                    "SELECT count(*) FROM applications WHERE id = $1", app.id
                )
                assert left == 0
                continue
            who = self.teams.index(app.owner)
            found = await self.outcome(self.people[who], GetApplication(slug=app.slug))
            assert (found.name, found.owner_org_id) == (app.name, app.owner)
            ctx = await self.inside(who, app)
            assert ctx is not None
            assert (await self.world.call(GetSettings(), ctx)).session_ttl == app.session_ttl
            keys = await self.world.call(ListApiKeys(limit=100), ctx)
            assert {key.id for key in keys.api_keys} == set(app.keys)
            domains = await self.world.call(ListCustomDomains(), ctx)
            assert {domain.domain for domain in domains.domains} == app.domains
            await self._used(app)


def fresh(ctx: Context) -> Context:
    """Returns the context with a new deadline."""
    return replace(ctx, deadline=context(ctx.app_id).deadline)


async def play(world: World) -> Play:
    teams = [await world.team(), await world.team()]
    people = [await world.developer(team) for team in teams]
    apps = []
    for number in range(3):
        team = teams[number % 2]
        made = await world.create_application(team, name=f"app {number}")
        keys = {key.id: key.key for key in made.api_keys}
        apps.append(App(made.id, made.slug, team, made.name, keys))
    return Play(world, teams, people, apps)


@pytest.mark.long
@pytest.mark.timeout(600)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_nobody_reaches_across(world: World, steps: list[Step]) -> None:
    """Each step succeeds in the team's own application, and is not found elsewhere."""
    game = await play(world)

    for step in steps:
        await game.step(step)

    await game.agree()
