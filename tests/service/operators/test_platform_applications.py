"""The applications of all teams, and developers, as operators see them."""

from __future__ import annotations

import pytest
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller, Context
from common.contracts.applications import ApplicationNotFound
from common.contracts.developers import GetDeveloper, GetDeveloperTeams, ListDevelopers
from common.contracts.platform_applications import (
    GetPlatformApplication,
    LabelApplications,
    ListPlatformApplications,
)
from common.contracts.users import UserNotFound
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden
from tenancy import platform_applications


async def named(world: World, name: str, team: str | None = None) -> tuple[str, str]:
    """Inserts an application with this name. Returns its id and slug."""
    app_id, slug = new_id(), f"slug-{new_id()[-12:]}"
    await world.owner.execute(
        "INSERT INTO applications (id, slug, name, state, owner_org_id)"
        " VALUES ($1, $2, $3, 'active', $4)",
        app_id,
        slug,
        name,
        team,
    )
    return app_id, slug


async def found(world: World, ctx: Context, search: str, limit: int = 50) -> list[str]:
    """Returns the ids of every page of a search."""
    ids: list[str] = []
    cursor = None
    while True:
        call = ListPlatformApplications(search=search, limit=limit, cursor=cursor)
        page = await world.call(call, ctx)
        ids += [one.id for one in page.applications]
        cursor = page.next
        if cursor is None:
            return ids


async def test_pages_have_every_application_once(world: World, operator: Context) -> None:
    """The newest comes first, also among those of equal time, and one that is being deleted is there."""
    word = new_id()
    ids = [(await named(world, f"{word} {number}"))[0] for number in range(5)]
    await world.owner.execute(
        "UPDATE applications SET created_at = now(), state = 'deleting' WHERE id = ANY($1::uuid[])",
        ids,
    )
    listed: list[str] = []
    cursor = None
    while len(listed) < 5:
        page = await world.call(ListPlatformApplications(limit=2, cursor=cursor), operator)
        listed += [one.id for one in page.applications]
        cursor = page.next

    assert listed[:5] == sorted(ids, reverse=True)
    assert page.applications[0].state == "deleting"


async def test_a_search_finds_slug_id_host_and_name(world: World, operator: Context) -> None:
    """A name is found by the beginnings of its words, in any case and without accents. The exact match
    comes first, and no application comes twice."""
    word = new_id()[-12:]
    first, slug = await named(world, f"Café {word} Übersee")
    second, _ = await named(world, f"CAFE {word}")
    await world.owner.execute(
        "INSERT INTO custom_domains (id, app_id, domain, verification_token, verified_at)"
        " VALUES ($1, $2, $3, 't', now()), ($4, $5, $6, 't', NULL)",
        new_id(),
        first,
        f"{word}.shop.example",
        new_id(),
        second,
        f"not-{word}.shop.example",
    )
    for exact in (slug, first, f"{slug}.id.example.com", f"https://{word}.Shop.example/"):
        assert await found(world, operator, exact) == [first]
    for limit in (1, 50):
        for search in (f"cafe {word}", word, f"{word[:9]} CAFE", f"{slug[:2]} {word}"):
            assert sorted(await found(world, operator, search, limit)) == sorted([first, second])
        assert await found(world, operator, f"uber {word}", limit) == [first]
        assert await found(world, operator, f"{word} cafe ubersee x", limit) == []
    await named(world, slug)
    assert (await found(world, operator, slug))[0] == first
    for nothing in (f"not-{word}.shop.example", word[1:], "%", "(", f"{word}.id.example.com"):
        assert first not in await found(world, operator, nothing)


async def test_an_application_has_team_and_users(
    world: World, operator: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users are counted up to a limit."""
    team = await world.team()
    app_id, slug = await named(world, "Shop", team)
    for _ in range(3):
        await world.insert_user(app_id)
    details = await world.call(GetPlatformApplication(slug=slug), operator)
    monkeypatch.setattr(platform_applications, "MOST_USERS", 2)
    more = await world.call(GetPlatformApplication(slug=slug), operator)
    of_team = await world.call(ListPlatformApplications(owner_org_id=team), operator)

    assert details.owner is not None
    assert (details.owner.id, details.host) == (team, f"{slug}.id.example.com")
    assert (details.users, details.has_more_users) == (3, False)
    assert (more.users, more.has_more_users) == (2, True)
    assert [one.id for one in of_team.applications] == [app_id]
    with pytest.raises(ApplicationNotFound):
        await world.call(GetPlatformApplication(slug="no-such-slug"), operator)


async def test_a_developer_has_teams_and_applications(world: World, operator: Context) -> None:
    """With the role in each team, and whether they are an operator."""
    user = await world.dashboard_user("developer", email=f"{new_id()}@example.com")
    team, other = await world.team(), await world.team()
    await world.join(team, user, "admin", DASHBOARD)
    app_id, _ = await named(world, "Shop", team)
    await named(world, "Foreign", other)
    assert user.id
    details = await world.call(GetDeveloper(user_id=user.id), operator)
    teams = await world.call(GetDeveloperTeams(user_id=user.id), operator)
    me = await world.call(GetDeveloper(user_id=operator.caller.id or ""), operator)

    assert (details.is_operator, me.is_operator) == (False, True)
    assert [(one.id, one.role) for one in teams.teams] == [(team, "admin")]
    assert [one.id for one in teams.applications] == [app_id]
    with pytest.raises(UserNotFound):
        await world.call(GetDeveloper(user_id=new_id()), operator)


async def test_developers_are_searched(world: World, operator: Context) -> None:
    """By address and name, and only among the users of the Dashboard."""
    word = new_id()[-12:]
    user_id = await world.insert_user(
        DASHBOARD, email=f"ada-{word}@example.com", name=f"Ada {word}"
    )
    await world.insert_user(email=f"ada-{word}@example.com")
    for search in (f"ada-{word}@example.com", word):
        page = await world.call(ListDevelopers(search=search), operator)
        assert [one.id for one in page.developers] == [user_id]
    assert (await world.call(ListDevelopers(search=word, disabled=True), operator)).developers == []


async def test_others_see_nothing(world: World, developer: Context, operator: Context) -> None:
    """Developers are refused, and so is a key of an application, whose permissions mean nothing here."""
    user_id = operator.caller.id or ""
    key = Caller("secret_key", new_id(), frozenset({"*"}))
    for request in (
        ListDevelopers(),
        GetDeveloper(user_id=user_id),
        GetDeveloperTeams(user_id=user_id),
        ListPlatformApplications(),
        GetPlatformApplication(slug="dashboard"),
    ):
        for ctx in (developer, operator.with_application(world.app_id).with_caller(key)):
            with pytest.raises(Forbidden):
                await world.call(request, ctx)
    label = LabelApplications(application_ids=[world.app_id])
    for ctx in (operator, world.ctx(SYSTEM_CALLER)):
        with pytest.raises(Forbidden):
            await world.call(label, ctx)
