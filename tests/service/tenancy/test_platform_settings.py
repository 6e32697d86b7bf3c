"""Settings of the platform: what new applications start with, and how many a team may have."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError
from tests.kit.callers import secret_key_of
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller, Context
from common.contracts.app_settings import AppSettings
from common.contracts.applications import (
    ApplicationExists,
    CreateApplication,
    DeleteApplication,
    EnsureApplication,
    NewApplication,
    TransferApplication,
)
from common.contracts.database_state import GetDatabaseState
from common.contracts.platform_settings import (
    ApplicationLimitReached,
    GetPlatformSettings,
    PlatformSettings,
    PlatformSettingsChange,
    UpdatePlatformSettings,
)
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Invalid
from common.testing import context

SYSTEM = context(DASHBOARD, SYSTEM_CALLER, within=3600)


async def change(world: World, **changes: object) -> PlatformSettings:
    request = UpdatePlatformSettings(changes=PlatformSettingsChange.model_validate(changes))
    settings: PlatformSettings = await world.call(request, await world.operator())
    return settings


async def create(world: World, ctx: Context, team: str) -> NewApplication:
    made: NewApplication = await world.call(CreateApplication(name="Shop", owner_org_id=team), ctx)
    return made


async def test_nothing_is_set_at_first(world: World) -> None:
    """There is no limit, and applications start with the defaults."""
    settings = await world.call(GetPlatformSettings(), await world.operator())

    assert settings == PlatformSettings()


async def test_new_applications_start_with_them(world: World) -> None:
    """An application that is created later has the settings. One that exists stays as it is."""
    before = await world.create_application()
    settings = await change(
        world, new_applications={"signup_mode": "invite_only", "password_min_length": 12}
    )
    team = await world.team()
    after = await create(world, await world.developer(team), team)
    ensured = await world.call(EnsureApplication(slug="demo", name="Demo"), SYSTEM)

    assert settings.new_applications.password_min_length == 12
    assert settings.updated_at is not None
    assert before.settings == AppSettings()
    for made in (after, ensured):
        assert made.settings.signup_mode == "invite_only"
        assert made.settings.password_min_length == 12


async def test_only_what_differs_from_the_defaults_is_stored(world: World) -> None:
    """A setting that goes back to its default is stored nowhere, so a better default reaches new
    applications."""
    await change(world, new_applications={"signup_mode": "invite_only", "guests": True})
    await change(world, new_applications={"signup_mode": None})
    made = await world.create_application()
    stored = await world.owner.fetchval(
        "SELECT settings::text FROM applications WHERE id = $1", made.id
    )

    assert stored == '{"guests": true}'


async def test_a_change_is_audited_once(world: World) -> None:
    """The Dashboard's log has the names of the settings that differ. A change of nothing is none."""
    await change(world, applications_per_team=5, new_applications={"guests": True})
    await change(world, applications_per_team=5, new_applications={"guests": True})
    rows = await world.owner.fetch(
        "SELECT app_id::text, convert_from(payload, 'UTF8') AS payload FROM audit_outbox"
        " WHERE event_type = 'platform_settings_updated'"
    )

    assert [row["app_id"] for row in rows] == [DASHBOARD]
    assert '"applications_per_team"' in rows[0]["payload"]
    assert '"new_applications.guests"' in rows[0]["payload"]


async def test_settings_that_an_application_would_refuse(world: World) -> None:
    """They are checked as those of an application. A captcha has a secret of one application."""
    with pytest.raises(Invalid):
        await change(world, new_applications={"signup_mode": "restricted"})
    captcha = {"verify_url": "https://x.example/", "site_key": "k", "secret": "s"}
    for wrong in ({"captcha": captcha}, {"password_min_length": 1}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            PlatformSettingsChange.model_validate({"new_applications": wrong})
    for limit in (0, -1, 10_001):
        with pytest.raises(ValidationError):
            PlatformSettingsChange(applications_per_team=limit)

    assert await world.call(GetPlatformSettings(), await world.operator()) == PlatformSettings()


async def test_a_team_at_its_limit(world: World) -> None:
    """The team gets no further application, until one is deleted or the limit is gone. Other teams
    create theirs."""
    team, other = await world.team(), await world.team()
    dev = await world.developer(team)
    made = await create(world, dev, team)
    await change(world, applications_per_team=1)
    with pytest.raises(ApplicationLimitReached) as refused:
        await create(world, dev, team)
    await create(world, await world.developer(other), other)
    await world.call(DeleteApplication(slug=made.slug, confirm=made.slug), dev)
    await create(world, dev, team)
    await change(world, applications_per_team=None)
    await create(world, dev, team)

    assert refused.value.extra == {"limit": 1}
    assert (refused.value.status, refused.value.code) == (409, "application_limit_reached")


async def test_two_at_once_do_not_pass_the_limit(world: World) -> None:
    """Of many calls at the same time, only as many succeed as the limit leaves."""
    team = await world.team()
    await change(world, applications_per_team=2)
    dev = await world.developer(team)
    results = await asyncio.gather(
        *(create(world, dev, team) for _ in range(5)), return_exceptions=True
    )

    assert sum(isinstance(result, NewApplication) for result in results) == 2
    refused = [result for result in results if not isinstance(result, NewApplication)]
    assert {type(result) for result in refused} == {ApplicationLimitReached}


async def test_a_repeat_at_the_limit_is_no_further_application(world: World) -> None:
    """Of one request that is sent several times, one call creates the application. The others name it,
    whether they come at the same moment or later. Another request is refused."""
    team = await world.team()
    await change(world, applications_per_team=1)
    dev = await world.developer(team)
    request = CreateApplication(name="Shop", owner_org_id=team, request_id=new_id())
    results = await asyncio.gather(
        *(world.call(request, dev) for _ in range(4)), return_exceptions=True
    )
    with pytest.raises(ApplicationExists) as repeated:
        await world.call(request, dev)
    with pytest.raises(ApplicationLimitReached):
        await world.call(request.model_copy(update={"request_id": new_id()}), dev)

    (made,) = [result for result in results if isinstance(result, NewApplication)]
    others = [result for result in results if result is not made]
    assert {type(other) for other in others} == {ApplicationExists}
    assert repeated.value.extra == {"slug": made.slug}


async def test_a_transfer_counts_too(world: World) -> None:
    """An application cannot come into a team that is full. Nothing changes."""
    mine, other = await world.team(), await world.team()
    dev = await world.developer(mine, other)
    made = await create(world, dev, mine)
    await create(world, dev, other)
    await change(world, applications_per_team=1)
    with pytest.raises(ApplicationLimitReached):
        await world.call(TransferApplication(slug=made.slug, owner_org_id=other), dev)
    owner = await world.owner.fetchval(
        "SELECT owner_org_id::text FROM applications WHERE id = $1", made.id
    )

    assert owner == mine


async def test_operators_may_exceed_the_limit(world: World) -> None:
    """An operator creates and moves applications for a team that is full."""
    team = await world.team()
    await change(world, applications_per_team=1)
    await create(world, await world.developer(team), team)
    operator = await world.operator()
    second = await create(world, operator, team)
    third = await world.create_application()
    moved = await world.call(TransferApplication(slug=third.slug, owner_org_id=team), operator)

    assert second.owner_org_id == moved.owner_org_id == team


async def test_only_operators_of_the_dashboard(world: World) -> None:
    """Neither a developer nor a permission or secret key of another application reads or changes
    anything of the platform."""
    made = await world.create_application()
    team = await world.team()
    callers = (
        await world.developer(team),
        context(made.id, Caller("user", new_id(), frozenset({"platform:manage"}))),
        secret_key_of(made.id),
    )
    requests = (
        GetPlatformSettings(),
        GetDatabaseState(),
        UpdatePlatformSettings(changes=PlatformSettingsChange(applications_per_team=1)),
    )
    for ctx in callers:
        for request in requests:
            with pytest.raises(Forbidden):
                await world.call(request, ctx)

    assert await world.call(GetPlatformSettings(), await world.operator()) == PlatformSettings()


async def test_the_state_of_the_database(world: World) -> None:
    """The service's own role may read size and connections."""
    state = await world.call(GetDatabaseState(), await world.operator())

    assert state.size_bytes > 1_000_000
    assert 0 < state.connections <= state.max_connections
    assert state.version[:1].isdigit()
