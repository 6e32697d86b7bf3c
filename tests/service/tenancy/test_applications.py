"""Applications are created and found."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.kit.callers import MEMBER, secret_key_of
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller
from common.contracts.api_keys import VerifyApiKey
from common.contracts.applications import (
    ApplicationNotFound,
    Applications,
    CreateApplication,
    EnsureApplication,
    GetApplication,
    ListApplications,
    SlugTaken,
)
from common.contracts.tenants import GetTenant, ManageApplication, ResolveHost, UnknownHost
from common.cursors import BadCursor
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Invalid, Unauthenticated
from common.testing import context
from tenancy import slugs

SYSTEM = context(DASHBOARD, SYSTEM_CALLER, within=3600)


async def test_a_developer_makes_an_application(world: World) -> None:
    """It is active, belongs to the developer's team, and has two valid keys."""
    team = await world.team()

    made = await world.call(
        CreateApplication(name="Shop", owner_org_id=team), await world.developer(team)
    )

    assert made.state == "active"
    assert made.owner_org_id == team
    assert slugs.flaw(made.slug) is None
    assert made.url == f"http://{made.slug}.localhost:8080"
    assert [key.key_type for key in made.api_keys] == ["publishable", "secret"]
    for key in made.api_keys:
        holder = await world.call(VerifyApiKey(key=key.key), context(DASHBOARD))
        assert (holder.app_id, holder.key_type) == (made.id, key.key_type)
    assert ("rbac", made.id, "application") in world.stand_ins.provisioning.done
    assert ("oidc", made.id, "keys") in world.stand_ins.provisioning.done
    assert (made.id, "application", made.id) in world.invalidation.published


async def test_making_is_audited_on_both_sides(world: World) -> None:
    """The Dashboard's log names the application, and the application's own log names its keys."""
    made = await world.create_application()

    assert await world.event_types(app_id=DASHBOARD) == ["application_created"]
    assert await world.event_types(app_id=made.id) == ["api_key_created", "api_key_created"]


async def test_a_team_of_others_is_refused(world: World) -> None:
    """A developer cannot create an application for a team of others."""
    mine, other = await world.team(), await world.team()

    with pytest.raises(Invalid) as refused:
        await world.call(
            CreateApplication(name="Shop", owner_org_id=other), await world.developer(mine)
        )

    assert [error["field"] for error in refused.value.extra["errors"]] == ["owner_org_id"]


async def test_the_only_team_is_taken_where_none_is_named(world: World) -> None:
    """A developer with one team need not name it. One with two teams or none has to."""
    mine, other = await world.team(), await world.team()

    made = await world.call(CreateApplication(name="Shop"), await world.developer(mine))

    assert made.owner_org_id == mine
    for teams in ((), (mine, other)):
        with pytest.raises(Invalid):
            await world.call(CreateApplication(name="Shop"), await world.developer(*teams))


async def test_of_several_teams_the_active_one_owns_it(world: World) -> None:
    """The active team owns the application. Without one the developer has to choose, and a team
    with read access does not count."""
    mine, other = await world.team(), await world.team()
    dev = await world.developer(mine, other)
    active = replace(dev, caller=replace(dev.caller, org_id=other))
    with pytest.raises(Invalid):
        await world.call(CreateApplication(name="Shop"), dev)
    made = await world.call(CreateApplication(name="Shop"), active)

    assert made.owner_org_id == other


async def test_an_operator_may_leave_an_application_without_team(world: World) -> None:
    """An operator and the Dashboard's secret key may create an application without a team."""
    for ctx in (await world.operator(), secret_key_of(DASHBOARD)):
        made = await world.call(CreateApplication(name="Shop"), ctx)

        assert (made.owner_org_id, made.state) == (None, "active")


async def test_a_team_that_does_not_exist_is_named(world: World) -> None:
    """An unknown team is a field error."""
    gone = new_id()

    with pytest.raises(Invalid):
        await world.call(CreateApplication(name="Shop", owner_org_id=gone), await world.operator())


async def test_only_operators_choose_a_slug(world: World) -> None:
    """A developer gets a random slug. An operator may choose a valid one."""
    team = await world.team()

    with pytest.raises(Invalid):
        await world.call(CreateApplication(name="Shop", slug="shop"), await world.developer(team))
    with pytest.raises(Invalid):
        await world.call(
            CreateApplication(name="A", slug="admin", owner_org_id=team), await world.operator()
        )
    made = await world.call(
        CreateApplication(name="Shop", slug="shop", owner_org_id=team), await world.operator()
    )
    with pytest.raises(SlugTaken):
        await world.call(CreateApplication(name="Shop", slug="shop"), SYSTEM)

    assert made.slug == "shop"


async def test_a_collision_gets_a_suffix(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the word pair is taken, the slug gets three more characters."""
    monkeypatch.setattr(slugs, "_words", lambda: "swift-maple")
    team = await world.team()

    first, second = await world.create_application(team), await world.create_application(team)

    assert first.slug == "swift-maple"
    assert second.slug.startswith("swift-maple-")
    assert len(second.slug) == len("swift-maple-k3f")


async def test_a_right_in_another_application_is_none_here(world: World) -> None:
    """`apps:create` in an ordinary application creates nothing, and neither does its key."""
    made = await world.create_application()
    user = context(made.id, Caller("user", new_id(), frozenset({"apps:create", "apps:read"})))

    for ctx in (user, secret_key_of(made.id)):
        for request in (CreateApplication(name="X"), ListApplications()):
            with pytest.raises(Forbidden):
                await world.call(request, ctx)
    with pytest.raises(ApplicationNotFound):
        await world.call(GetApplication(slug=made.slug), user)


async def test_without_the_right_nothing_is_made(world: World) -> None:
    """A member who only reads cannot create an application."""
    team = await world.team()

    with pytest.raises(Forbidden):
        await world.call(
            CreateApplication(name="X"), await world.developer(team, permissions=MEMBER)
        )
    with pytest.raises(Unauthenticated):
        await world.call(CreateApplication(name="X"), context(DASHBOARD))


async def test_an_application_of_another_team_is_not_found(world: World) -> None:
    """An application of another team looks like a missing one. An operator sees it."""
    made = await world.create_application()
    stranger = await world.developer(await world.team())

    with pytest.raises(ApplicationNotFound) as forbidden:
        await world.call(GetApplication(slug=made.slug), stranger)
    with pytest.raises(ApplicationNotFound) as missing:
        await world.call(GetApplication(slug="no-such-thing"), stranger)

    assert forbidden.value.to_wire() == missing.value.to_wire()
    assert made.id == (await world.call(GetApplication(slug=made.slug), await world.operator())).id


async def test_a_secret_key_reads_its_own_application_only(world: World) -> None:
    """The key of A finds A, but not B."""
    a, b = await world.create_application(), await world.create_application()

    assert a.id == (await world.call(GetApplication(slug=a.slug), secret_key_of(a.id))).id
    with pytest.raises(ApplicationNotFound):
        await world.call(GetApplication(slug=b.slug), secret_key_of(a.id))


async def test_a_list_shows_the_teams_applications_in_pages(world: World) -> None:
    """The pages contain each application of the team once, and none of another team."""
    mine, other = await world.team(), await world.team()
    made = [(await world.create_application(mine)).slug for _ in range(5)]
    await world.create_application(other)

    seen: list[str] = []
    cursor = None
    while True:
        page = await world.call(
            ListApplications(limit=2, cursor=cursor), await world.developer(mine)
        )
        seen += [found.slug for found in page.applications]
        cursor = page.next
        if cursor is None:
            break

    assert made == seen
    everything = await world.call(ListApplications(limit=100), await world.operator())
    assert len(everything.applications) == 7  # with the Dashboard
    none = await world.call(ListApplications(owner_org_id=other), await world.developer(mine))
    assert none.applications == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("café", ["Café am Hafen"]),
        ("CAFE hafen", ["Café am Hafen"]),
        ("  am  ", ["Café am Hafen", "Amber"]),
        ("100%", ["100% Wool"]),
        ("_", []),
        ("amber hafen", []),
        ("afen", []),
        (" ", ["Café am Hafen", "Amber", "100% Wool"]),
    ],
)
async def test_a_list_is_searched_by_words(world: World, search: str, found: list[str]) -> None:
    """Each word must be the beginning of a word of the name or slug. Nothing in it is a pattern, and
    applications of other teams are not found."""
    mine, other = await world.team(), await world.team()
    for name in ("Café am Hafen", "Amber", "100% Wool"):
        call = CreateApplication(name=name, owner_org_id=mine)
        await world.call(call, await world.developer(mine))
    await world.call(
        CreateApplication(name="Amber Café", owner_org_id=other), await world.developer(other)
    )
    page = await world.call(ListApplications(search=search), await world.developer(mine))

    assert [one.name for one in page.applications] == found


async def test_an_operator_searches_the_applications_of_all_teams(world: World) -> None:
    """Page by page, sorted by the word that matches. Those that are being deleted are left out."""
    for name in ("Amber Café", "North Amber", "Ambulance", "Camber"):
        team = await world.team()
        call = CreateApplication(name=name, owner_org_id=team)
        await world.call(call, await world.developer(team))
    await world.owner.execute("UPDATE applications SET state = 'deleting' WHERE name = 'Ambulance'")
    found, cursor = [], None
    while True:
        call_page = ListApplications(search="AMB", limit=1, cursor=cursor)
        page = await world.call(call_page, await world.operator())
        found += [one.name for one in page.applications]
        cursor = page.next
        if cursor is None:
            break

    assert sorted(found) == ["Amber Café", "North Amber"]
    for search in ("_", "unknown", "amber unknown"):
        nothing = await world.call(ListApplications(search=search), await world.operator())
        assert nothing == Applications(applications=[], next=None)


async def test_a_forged_cursor_is_refused(world: World) -> None:
    """A cursor of another list and a changed one are refused with 400."""
    mine = await world.team()
    for _ in range(2):
        await world.create_application(mine)
    page = await world.call(ListApplications(limit=1), await world.developer(mine))

    assert page.next is not None
    for cursor in ("x", page.next[:-2], page.next[:-1] + ("A" if page.next[-1] != "A" else "B")):
        with pytest.raises(BadCursor):
            await world.call(ListApplications(cursor=cursor), await world.developer(mine))
    with pytest.raises(BadCursor):
        await world.call(
            ListApplications(cursor=page.next, owner_org_id=mine), await world.developer(mine)
        )


async def test_an_application_answers_on_its_host(world: World) -> None:
    """Case is ignored. Other ports, deeper names and unknown slugs are not found."""
    made = await world.create_application()

    found = await world.call(
        ResolveHost(host=f"{made.slug}.LOCALHOST:8080".title()), context(DASHBOARD)
    )

    assert (found.app_id, found.origin) == (made.id, made.url)
    for host in (
        f"{made.slug}.localhost",
        f"x.{made.slug}.localhost:8080",
        "nobody.localhost:8080",
    ):
        with pytest.raises(UnknownHost):
            await world.call(ResolveHost(host=host), context(DASHBOARD))


async def test_ensure_makes_it_once(world: World) -> None:
    """The second call returns the same application without keys."""
    first = await world.call(EnsureApplication(slug="demo", name="Demo"), SYSTEM)
    second = await world.call(EnsureApplication(slug="demo", name="Demo"), SYSTEM)

    assert first.id == second.id
    assert (len(first.api_keys), len(second.api_keys)) == (2, 0)
    with pytest.raises(Forbidden):
        await world.call(EnsureApplication(slug="demo", name="Demo"), await world.operator())


async def test_a_developer_manages_their_application(world: World) -> None:
    """With `apps:write` they get every permission there, and with `apps:read` only those that read."""
    team = await world.team()
    made = await world.create_application(team)

    writes = await world.call(ManageApplication(slug=made.slug), await world.developer(team))
    reads = await world.call(
        ManageApplication(slug=made.slug), await world.developer(team, permissions=MEMBER)
    )

    assert (writes.tenant.app_id, writes.permissions) == (made.id, ["*"])
    assert all(permission.endswith(":read") for permission in reads.permissions)
    assert world.activity.noted == []


async def test_an_operator_who_steps_in_is_noted(world: World) -> None:
    """An operator may manage any application, and an event names them."""
    made = await world.create_application()

    managed = await world.call(ManageApplication(slug=made.slug), await world.operator())

    assert managed.permissions == ["*"]
    assert [("operator_entered", made.id)] == [
        (made.event_type, made.event_data["application_id"]) for made in world.activity.noted
    ]


async def test_a_tenant_is_what_processes_know_of_it(world: World) -> None:
    """GetTenant returns the context's application, and only to services."""
    made = await world.create_application()

    found = await world.call(GetTenant(), context(made.id, SYSTEM_CALLER))

    assert (found.app_id, found.hosts) == (made.id, [f"{made.slug}.localhost:8080"])
    with pytest.raises(Forbidden):
        await world.call(GetTenant(), secret_key_of(made.id))
    with pytest.raises(ApplicationNotFound):
        await world.call(GetTenant(), context(new_id(), SYSTEM_CALLER))


async def test_a_request_that_is_sent_twice_creates_one_application(world: World) -> None:
    """A double click, a reload or a lost answer makes no second application, also at the same time. The
    id of the request belongs to its caller."""
    team = await world.team()
    ctx, other = await world.developer(team), await world.developer(team)
    request = CreateApplication(name="Shop", owner_org_id=team, request_id=new_id())
    results = await asyncio.gather(
        *(world.call(request, ctx) for _ in range(3)), return_exceptions=True
    )
    of_other = await world.call(request, other)
    listed = await world.call(ListApplications(), ctx)

    assert sorted(type(result).__name__ for result in results) == [
        "ApplicationExists",
        "ApplicationExists",
        "NewApplication",
    ]
    assert len(listed.applications) == 2
    assert of_other.slug in {one.slug for one in listed.applications}
