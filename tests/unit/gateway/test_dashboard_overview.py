"""The overview of an application: its usage as charts with tables, and its latest events."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.kit.dashboard_audit import FakeLog, fake_log
from tests.kit.developers import ORIGIN, developers, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.audit_log import ListAudit
from common.contracts.usage import CountUsage

HOME = f"{ORIGIN}/dashboard/applications/shop"
FIGURES = ("sign-ins", "sign-ups", "active-users", "failures")
PARTIAL = {"hx-request": "true", "hx-request-type": "partial"}


@pytest.fixture
def log(http: httpx.AsyncClient, world: FakeServices) -> FakeLog:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    sign_in(http)
    return fake_log(people)


async def test_the_overview_has_a_chart_for_each_figure(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """Four numbers, four charts with a text for who does not see them, and a table behind each. All say
    the same."""
    log.sign_ins = [0, 10, 0, 1200, 4, 10, 10]
    log.add("login", user_email="ada@example.com")
    page = (await http.get(HOME)).text

    for figure in FIGURES:
        assert f'role="img" aria-labelledby="{figure}-title {figure}-desc"' in page
        assert f'<title id="{figure}-title">' in page
        assert f'<desc id="{figure}-desc">' in page
    assert page.count("<details>") == 4
    assert '<dd class="value">1,234</dd><dd class="change">40 in the 7 days before</dd>' in page
    assert '<td class="end">1,200</td>' in page
    assert "Days in Europe/Berlin" in page
    assert "ada@example.com" in page
    assert 'hx-sse:connect="/dashboard/applications/shop/live?as=item"' in page


async def test_ids_are_unique(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Each text alternative and each pattern is found by its id."""
    page = (await http.get(HOME)).text
    ids = re.findall(r'\bid="([^"]+)"', page)
    named = re.findall(r'(?:aria-labelledby|aria-describedby)="([^"]+)"', page)

    assert sorted(ids) == sorted(set(ids))
    assert {id for each in named for id in each.split()} <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) == {f"{each}-hatch" for each in FIGURES}


async def test_one_round_of_calls(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The page asks for the figures and the events at once. The part asks for the figures alone."""
    await http.get(HOME)
    both = [type(call) for _, call in log.developers.calls]
    log.developers.calls.clear()
    part = await http.get(f"{HOME}?window=30d", headers=PARTIAL)

    assert sorted(each.__name__ for each in both) == ["CountUsage", "ListAudit"]
    assert [type(call) for _, call in log.developers.calls] == [CountUsage]
    assert part.text.lstrip().startswith('<section class="section" id="usage"')
    assert "<html" not in part.text


@pytest.mark.parametrize(
    ("query", "window", "bars"),
    [
        ("", "7d", 7),
        ("?window=24h", "24h", 24),
        ("?window=90d", "90d", 90),
        ("?window=%3Cb%3E", "7d", 7),
    ],
)
async def test_the_window_is_in_the_address(
    http: httpx.AsyncClient, log: FakeLog, query: str, window: str, bars: int
) -> None:
    """Links choose the window, with and without a script. An unknown one is the default."""
    page = (await http.get(f"{HOME}{query}")).text
    (call,) = log.calls(CountUsage)

    assert call.window == window
    assert page.count('<g class="day">') == 4 * bars
    assert (
        f'href="/dashboard/applications/shop?window={window}" id="window-{window}" aria-current="true"'
        in page
    )
    assert page.count('class="open"') == 4


async def test_two_readers_see_the_same(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Days and totals are those of the application's zone, wherever the reader is."""
    pages = []
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        http.cookies.set("aero2_zone", zone, domain="dashboard.localhost")
        page = (await http.get(HOME, headers=PARTIAL)).text
        pages.append(page)

    assert pages[0] == pages[1]


async def test_a_gap_has_no_bar(http: httpx.AsyncClient, log: FakeLog) -> None:
    """A time before the application existed has no bar, and the table says why."""
    log.sign_ins = [None, None, 0, 0, 0, 0, 0]
    page = (await http.get(HOME)).text

    assert len(re.findall(r'<rect class="(?:full|open)"', page)) == 4 * 5
    assert page.count('<small class="muted">before the application existed</small>') == 4 * 2


async def test_without_the_permission(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Who may not read the log sees no figures, and nothing is asked for."""
    log.developers.permissions = ["users:read"]
    page = await http.get(f"{HOME}?window=30d")

    assert page.status_code == 200
    assert "<svg height" not in page.text
    assert log.calls(CountUsage) == log.calls(ListAudit) == []


async def test_a_hostile_zone_is_text(http: httpx.AsyncClient, log: FakeLog) -> None:
    """A zone that the database does not have counts as UTC, and is shown as text."""
    log.zone = '<b hx-get="/x">'
    page = (await http.get(HOME)).text

    assert "<b hx-get" not in page
    assert "&lt;b hx-get=&#34;/x&#34;&gt;" in page
