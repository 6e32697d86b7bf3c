"""The search of the Dashboard: what it finds, and for whom."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.developers import ORIGIN, Developers, developers, sign_in
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.applications import Applications, ListApplications
from common.contracts.profiles import User
from common.contracts.users import ListUsers, Users
from common.ids import new_id
from common.problems import Forbidden, Unavailable

HOSTILE = '<b hx-get="/x">"Ada'


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    people = developers(world)
    people.managed["shop"] = world.add("shop")

    async def users(world: Developers, ctx: Context, request: ListUsers) -> Users:
        world.calls.append((ctx, request))
        now = world.session.created_at
        ada = User(
            id=new_id(), name=HOSTILE, email="ada@example.com", created_at=now, updated_at=now
        )
        return Users(users=[ada])

    world.bus.serve(people, {ListUsers: users})
    sign_in(http)
    return people


async def test_users_are_those_of_the_open_application(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """The application in the address decides, and names are text."""
    page = await http.get(f"{ORIGIN}/dashboard/search?q=ada&slug=shop")
    ctx, call = developer.calls[-1]

    assert isinstance(call, ListUsers)
    assert (call.search, ctx.app_id) == ("ada", developer.managed["shop"].app_id)
    assert "&lt;b hx-get=&#34;/x&#34;&gt;&#34;Ada" in page.text
    assert HOSTILE not in page.text


@pytest.mark.parametrize("slug", ["", "other", "x" * 300])
async def test_no_users_of_an_application_of_others(
    http: httpx.AsyncClient, developer: Developers, slug: str
) -> None:
    """Without an application of the developer's own, no user is looked for."""
    page = await http.get(f"{ORIGIN}/dashboard/search", params={"q": "ada", "slug": slug})

    assert page.status_code == 200
    assert developer.calls == []


async def test_no_users_without_the_permission(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """Without `users:read` the search asks for none."""
    developer.permissions = []
    await http.get(f"{ORIGIN}/dashboard/search?q=ada&slug=shop")

    assert developer.calls == []


async def test_pages_and_applications_match_by_words(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """Each word must occur. A partial request gets the results alone."""
    part = await http.get(
        f"{ORIGIN}/dashboard/search?q=GETTING&slug=shop",
        headers={"hx-request": "true", "hx-request-type": "partial"},
    )
    nothing = await http.get(f"{ORIGIN}/dashboard/search?q=zzz+started")

    assert "<html" not in part.text
    assert 'href="/dashboard/applications/shop/start"' in part.text
    assert "Nothing matches." in nothing.text


async def test_the_rest_is_found_without_identity(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """If users cannot be searched, the other results are shown."""

    async def away(world: Developers, ctx: Context, request: ListUsers) -> Users:
        raise Unavailable

    developer.world.bus.serve(developer, {ListUsers: away})
    page = await http.get(f"{ORIGIN}/dashboard/search?q=shop&slug=shop")

    assert page.status_code == 200
    assert 'href="/dashboard/applications/shop"' in page.text


async def test_somebody_without_a_team_finds_pages(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """Who may not list applications finds the other pages, not the page that says there is none."""

    async def refused(people: Developers, ctx: Context, request: ListApplications) -> Applications:
        raise Forbidden

    world.bus.serve(developer, {ListApplications: refused})
    page = await http.get(f"{ORIGIN}/dashboard/search?q=account")

    assert page.status_code == 200
    assert 'href="/account"' in page.text.split('class="card found"')[1]


async def test_owners_of_everything_find_the_form(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """Somebody whose role has every permission may create applications, too."""
    world.rights[developer.session.user_id] = ["*"]
    page = await http.get(f"{ORIGIN}/dashboard/search?q=create")

    assert 'href="/dashboard/new"' in page.text.split('class="card found"')[1]
