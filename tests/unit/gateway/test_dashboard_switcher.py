"""The menu that switches to another application, and the list behind it, with three hundred applications."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.kit.developers import ORIGIN, Developers, developers, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.applications import ListApplications

HTMX = {"hx-request": "true", "hx-request-type": "partial"}
SWITCH = f"{ORIGIN}/dashboard/search?only=applications"
OPTION = re.compile(r'id="(switch-1-\d+)" role="option" href="([^"]+)"')


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    people = developers(world)
    tenant = world.add("shop")
    people.managed = {f"shop-{number}": tenant for number in range(300)}
    for slug in people.managed:
        people.managed[slug] = tenant.model_copy(update={"slug": slug, "name": f"Shop {slug[5:]}"})
    sign_in(http)
    return people


async def test_the_menu_finds_one_of_three_hundred(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """The service searches all of them, and the answer has a few. The ids differ from those of the palette,
    which is in the same page."""
    found = await http.get(f"{SWITCH}&q=shop+299", headers=HTMX)
    calls = [call for call in world.bus.calls if isinstance(call, ListApplications)]
    first = await http.get(SWITCH, headers=HTMX)

    assert OPTION.findall(found.text) == [("switch-1-1", "/dashboard/applications/shop-299")]
    assert [(call.search, call.limit) for call in calls] == [("shop 299", 5)]
    assert len(OPTION.findall(first.text)) == 8
    assert len(first.content) < 5_000


async def test_the_menu_without_a_script_is_the_list(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """The switcher is a link to the list, which can be searched, too. What was typed stays there and in the
    next pages."""
    page = await http.get(f"{ORIGIN}/dashboard/applications/shop-1")
    listed = await http.get(f"{ORIGIN}/dashboard?q=shop+29")
    nothing = await http.get(f"{ORIGIN}/dashboard?q=zzz")

    assert re.search(r'<a class="button switcher quiet"[^>]* href="/dashboard"', page.text)
    assert 'hx-get="/dashboard/search?only=applications"' in page.text
    assert 'value="shop 29"' in listed.text
    assert listed.text.count('class="cover person"') == 13
    assert "/dashboard/new" not in nothing.headers.get("location", "")
    assert "Nothing matches." in nothing.text


async def test_few_applications_need_no_search(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """A list of one page has no field for a search."""
    developer.managed = dict(list(developer.managed.items())[:2])

    assert 'role="search" hx-get="/dashboard"' not in (await http.get(f"{ORIGIN}/dashboard")).text
