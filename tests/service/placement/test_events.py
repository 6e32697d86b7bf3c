"""An event for a log in another cluster exists if and only if its work was committed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.kit.callers import ADMIN, now
from tests.kit.world import World

from common import audit
from common.audit_carrier import AuditCarrier
from common.context import Context
from common.contracts.api_keys import CreateApiKey, RevokeApiKey
from common.contracts.app_settings import Captcha
from common.contracts.applications import ApplicationPatch, GetApplication, UpdateApplication
from common.contracts.settings_change import GetSettings, SettingsChange, UpdateSettings
from common.contracts.support_views import GetSupportView, OpenSupportView
from common.contracts.user_search import SearchUsers
from common.events.api_keys import ApiKeyRevoked
from common.ids import DASHBOARD, new_id
from common.testing import context


@pytest.fixture
async def operator(world: World) -> Context:
    caller = await world.dashboard_user("operator", email=f"{new_id()}@platform.example")
    return context(
        DASHBOARD,
        replace(caller, session_id=new_id(), proven_at=now()),
        ip="203.0.113.9",
        within=15,
    )


async def transfers(world: World) -> int:
    """Returns how many events wait, in both clusters."""
    total: int = await world.owner.fetchval("SELECT count(*) FROM audit_transfers")
    return total


async def test_events_of_the_registry_are_in_the_log_at_home(world: World) -> None:
    """A key is a row in `main`; that it was created and revoked is in the application's log, once, and on
    its way to the stream as tenancy's."""
    key = await world.call(CreateApiKey(key_type="secret", name="CI"), ADMIN)
    await world.call(RevokeApiKey(id=key.id), ADMIN)

    assert (await world.event_types("api_key_created", "api_key_revoked"))[-2:] == [
        "api_key_created",
        "api_key_revoked",
    ]
    assert await transfers(world) == 0
    rows = await world.west_owner.fetch(
        "SELECT service, event_type FROM audit_outbox WHERE app_id = $1", world.app_id
    )
    assert {tuple(row) for row in rows} >= {("tenancy", "api_key_revoked")}
    for table in ("audit_logs", "audit_outbox"):
        count = f"SELECT count(*) FROM {table} WHERE app_id = $1"
        assert await world.main_owner.fetchval(count, world.app_id) == 0


async def test_an_event_of_an_application_at_home_is_not_carried(world: World) -> None:
    """Where the log is in the cluster of the work, the transaction writes it, as ever."""
    await world.user()
    await world.call(CreateApiKey(key_type="secret"), ADMIN, world.other_app_id)

    types = await world.event_types("api_key_created", app_id=world.other_app_id)
    assert len(types) == 3  # the first two keys, and this one


async def test_an_event_survives_a_process_that_dies(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is committed and the process dies before it carries the event: another one does, once. It may
    die again after it has written the event."""

    async def nothing(_: AuditCarrier) -> int:
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(AuditCarrier, "carry_all", nothing)
        key = await world.call(CreateApiKey(key_type="secret"), ADMIN)
    assert await transfers(world) == 1
    carrier = AuditCarrier("tenancy", world.databases["tenancy"], world.databases["relay"])
    with monkeypatch.context() as patch:

        async def die(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr("common.audit_transfers.delete", die)
        with pytest.raises(KeyboardInterrupt):
            await carrier.carry_all()
    assert await transfers(world) == 1
    assert await carrier.carry_all() == 1

    assert await transfers(world) == 0
    created = [data for name, data in await world.events() if name == "api_key_created"]
    assert [data["key_id"] for data in created].count(key.id) == 1


async def test_no_event_without_its_work(world: World) -> None:
    """A transaction that rolls back leaves no event on its way."""

    async def work() -> None:
        async with world.tenancy.registry.transaction(world.ctx(ADMIN)) as tx:
            await audit.record(tx, world.ctx(ADMIN), ApiKeyRevoked(key_id=new_id()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await work()

    assert await transfers(world) == 0
    assert "api_key_revoked" not in await world.event_types()


async def test_only_its_own_service_carries_an_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """identity does not carry what tenancy wrote: the stream says which service vouches for an event."""

    async def nothing(_: AuditCarrier) -> int:
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(AuditCarrier, "carry_all", nothing)
        await world.call(CreateApiKey(key_type="secret"), ADMIN)
    relay_db = world.databases["relay"]

    assert await AuditCarrier("identity", world.databases["identity"], relay_db).carry_all() == 0
    assert await AuditCarrier("tenancy", world.databases["tenancy"], relay_db).carry_all() == 1


async def test_an_operator_sees_users_of_both_clusters(world: World, operator: Context) -> None:
    """A search finds the address in every cluster. Each application's log says so, and the Dashboard's log
    has the search."""
    address = f"{new_id()}@example.com"
    west = await world.user(address)
    main = await world.user(address, app_id=world.other_app_id)

    located = await world.call(SearchUsers(email=address, reason="asked by phone"), operator)

    assert {user.user_id for user in located.users} == {west.id, main.id}
    for app_id in (world.app_id, world.other_app_id):
        assert await world.event_types("user_located", app_id=app_id) == ["user_located"]
    assert await transfers(world) == 0


async def test_a_support_view_is_in_both_logs(world: World, operator: Context) -> None:
    """The view is a row at home. The Dashboard's log, in `main`, has the same event."""
    user = await world.user()
    view = OpenSupportView(application_id=world.app_id, user_id=user.id, reason="asked by phone")
    before = len(await world.event_types("support_view_opened", app_id=DASHBOARD))

    await world.call(view, operator)

    assert await world.event_types("support_view_opened") == ["support_view_opened"]
    assert len(await world.event_types("support_view_opened", app_id=DASHBOARD)) == before + 1
    seen = await world.call(GetSupportView(application_id=world.app_id, user_id=user.id), operator)
    assert seen.user.id == user.id


async def test_changed_settings_reach_the_placeholder(world: World, operator: Context) -> None:
    """Statements at home read the settings there: a change is copied, and its secret can be opened."""
    slug = (await world.call(GetApplication(slug=await slug_of(world)), operator)).slug
    await world.call(
        UpdateApplication(slug=slug, changes=ApplicationPatch(
            name="Renamed", settings=SettingsChange(time_zone="Europe/Vienna")
        )),
        operator,
    )  # fmt: skip

    row = await world.west_owner.fetchrow(
        "SELECT name, settings::text FROM applications WHERE id = $1", world.app_id
    )
    assert row is not None
    assert row["name"] == "Renamed"
    assert "Europe/Vienna" in row["settings"]
    assert await world.main_owner.fetchval(
        "SELECT at_home FROM applications WHERE id = $1", world.app_id
    )
    assert (await world.event_types("application_updated")) == ["application_updated"]


async def test_settings_changed_from_inside_are_those_of_the_registry(world: World) -> None:
    """A change with the application's own key is written in `main`, where every process asks, and copied. A
    secret in it is sealed with the data key at home."""
    captcha = Captcha(verify_url="https://captcha.example/verify", site_key="site", secret="s3cret")
    changes = SettingsChange(time_zone="Europe/Vienna", captcha=captcha)
    shown = await world.call(UpdateSettings(changes=changes), ADMIN)

    assert shown.time_zone == "Europe/Vienna"
    assert (await world.call(GetSettings(), ADMIN)).time_zone == "Europe/Vienna"
    stored = [
        await owner.fetchval("SELECT settings::text FROM applications WHERE id = $1", world.app_id)
        for owner in world.owners
    ]
    assert stored[0] == stored[1]
    assert "Europe/Vienna" in stored[0]
    assert "s3cret" not in stored[0]
    keys = "SELECT count(*) FROM data_keys WHERE app_id = $1"
    assert await world.main_owner.fetchval(keys, world.app_id) == 0
    assert await world.west_owner.fetchval(keys, world.app_id) == 1


async def slug_of(world: World) -> str:
    slug: str = await world.main_owner.fetchval(
        "SELECT slug FROM applications WHERE id = $1", world.app_id
    )
    return slug
