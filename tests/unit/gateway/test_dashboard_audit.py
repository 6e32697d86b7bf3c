"""The audit log in the Dashboard: filters, rows, and the page of an event."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from tests.kit.dashboard_audit import FakeLog, fake_log
from tests.kit.developers import NOW, ORIGIN, developers, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.audit_log import ListAudit
from common.contracts.profiles import User
from common.contracts.users import FindUser, ListUsers
from common.ids import new_id

AUDIT = f"{ORIGIN}/dashboard/applications/shop/audit"
HOSTILE = '<b>"\' hx-get="/x" \u202eevil'


@pytest.fixture
def log(http: httpx.AsyncClient, world: FakeServices) -> FakeLog:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    sign_in(http)
    return fake_log(people)


def only_call(log: FakeLog) -> ListAudit:
    (call,) = log.calls(ListAudit)
    assert isinstance(call, ListAudit)
    return call


async def test_events_in_plain_words(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Each event is a row with its line, its user, its address, and a link to its page."""
    event = log.add("login_failed", user_email="ada@example.com", ip_address="192.0.2.7")
    page = await http.get(AUDIT)

    assert page.status_code == 200
    assert "Sign-in failed" in page.text
    assert "ada@example.com" in page.text
    assert "192.0.2.7" in page.text
    assert f'href="/dashboard/applications/shop/audit/{event.id}"' in page.text


async def test_one_day_is_the_whole_day_of_the_viewer(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """From and to the same day: all of that day, in the viewer's zone."""
    http.cookies.set("aero2_zone", "Europe%2FBerlin", domain="dashboard.localhost")
    page = await http.get(AUDIT, params={"from": "2026-01-02", "to": "2026-01-02"})

    assert page.status_code == 200
    assert only_call(log).start_date == datetime(2026, 1, 1, 23, tzinfo=UTC)
    assert only_call(log).end_date == datetime(2026, 1, 2, 23, tzinfo=UTC)
    assert "Europe/Berlin" in page.text


async def test_a_filter_is_a_chip_that_a_link_removes(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """Each chip leads to the same page without its filter, and on page one."""
    page = await http.get(AUDIT, params={"type": "login", "address": "192.0.2.1", "cursor": "c"})

    assert 'href="/dashboard/applications/shop/audit?address=192.0.2.1"' in page.text
    assert 'href="/dashboard/applications/shop/audit?type=login"' in page.text
    assert (only_call(log).event_type, only_call(log).cursor) == ("login", "c")


async def test_the_next_page_keeps_the_filters(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Page two of a filtered list is filtered."""
    log.add("login")
    log.more = "next"
    page = await http.get(AUDIT, params={"type": "login"})

    assert 'href="/dashboard/applications/shop/audit?type=login&amp;cursor=next"' in page.text


async def test_empty_fields_leave_the_address(http: httpx.AsyncClient, log: FakeLog) -> None:
    """A form sends its empty fields, too. They are no filters."""
    fields = {"type": "login", "user": "", "address": " ", "from": "", "to": ""}
    answer = await http.get(AUDIT, params=fields)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/dashboard/applications/shop/audit?type=login"
    assert log.calls(ListAudit) == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"address": "999.1.1.1"}, "This is not an IP address."),
        ({"from": "yesterday"}, "Enter a day as year-month-day."),
        ({"to": "9999-12-31"}, "Enter a day as year-month-day."),
        ({"from": "2026-01-03", "to": "2026-01-02"}, "The last day is before the first one."),
        ({"user": "nobody@example.com"}, "No user has this address or id."),
    ],
)
async def test_a_filter_that_is_wrong(
    http: httpx.AsyncClient, log: FakeLog, fields: dict[str, str], sentence: str
) -> None:
    """The page says what is wrong, keeps what was typed, and lists nothing."""
    log.add("login")
    page = await http.get(AUDIT, params=fields)

    assert page.status_code == 200
    assert sentence in page.text
    assert all(f'value="{text}"' in page.text for text in fields.values())
    assert log.calls(ListAudit) == []


async def test_a_user_by_their_address(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Only the user with exactly this address counts, however many addresses begin like it."""
    addresses = [
        *(f"ada@example.com{letter}.example" for letter in "abcdefghijkl"),
        "ada@example.com",
    ]
    log.users = [
        User(id=new_id(), email=address, created_at=NOW, updated_at=NOW) for address in addresses
    ]
    await http.get(AUDIT, params={"user": "ada@example.com"})

    assert only_call(log).user_id == log.users[-1].id
    assert log.calls(ListUsers) == []


async def test_without_the_right_to_see_users(http: httpx.AsyncClient, log: FakeLog) -> None:
    """A developer who may not see users can filter by id, and cannot find out addresses."""
    log.developers.permissions = ["audit:read"]
    by_address = await http.get(AUDIT, params={"user": "ada@example.com"})
    by_id = await http.get(AUDIT, params={"user": (id := new_id())})

    assert "No user has this address or id." in by_address.text
    assert log.calls(FindUser) == []
    assert by_id.status_code == 200
    assert only_call(log).user_id == id


async def test_only_the_whole_log_is_live(http: httpx.AsyncClient, log: FakeLog) -> None:
    """New events appear on top of the first page. They do not appear between filtered ones."""
    whole = await http.get(AUDIT)
    filtered = await http.get(AUDIT, params={"type": "login"})
    second = await http.get(AUDIT, params={"cursor": "c"})

    assert 'hx-sse:connect="/dashboard/applications/shop/live?as=row"' in whole.text
    assert "hx-sse:connect" not in filtered.text + second.text


async def test_the_export_has_the_filters(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The file has the events that the page shows."""
    page = await http.get(AUDIT, params={"type": "login", "from": "2026-01-02"})

    assert (
        'href="/api/applications/shop/audit/export?event_type=login'
        '&amp;start_date=2026-01-02T00%3A00%3A00Z&amp;format=csv"' in page.text
    )


async def test_hostile_text_is_text(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Markup in a name, in an agent and in a filter is shown, and does nothing."""
    event = log.add(
        "client_created",
        user_name=HOSTILE,
        user_agent=HOSTILE,
        data={"client_id": HOSTILE, "name": HOSTILE, "fields": [HOSTILE], HOSTILE: HOSTILE},
    )
    pages = [
        await http.get(AUDIT),
        await http.get(AUDIT, params={"user": HOSTILE}),
        await http.get(AUDIT, params={"type": HOSTILE}),
        await http.get(f"{AUDIT}/{event.id}"),
    ]

    for page in pages:
        assert page.status_code == 200
        assert "<b>" not in page.text
        assert 'hx-get="/x"' not in page.text


async def test_what_changed(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The page of an event has before and after, where the event has it."""
    event = log.add(
        "member_role_changed",
        data={"org_id": "o", "user_id": "u", "role": "admin", "before": "member"},
        actor_kind="secret_key",
        actor_id="key-1",
    )
    page = await http.get(f"{AUDIT}/{event.id}")

    assert page.status_code == 200
    assert "Role of a member changed" in page.text
    assert "<del><bdi>member</bdi></del>" in page.text
    assert "<ins><bdi>admin</bdi></ins>" in page.text
    assert "A secret key" in page.text
    assert "key-1" in page.text


async def test_an_operator_is_no_developer_of_the_team(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """The team reads who looked at their user, and why."""
    event = log.add(
        "user_located",
        data={"user_id": "u", "reason": "ticket 4711"},
        actor_kind="developer",
        actor_id="operator-1",
    )
    page = await http.get(f"{AUDIT}/{event.id}")
    row = await http.get(AUDIT)

    assert "An operator of the platform" in page.text
    assert "developer of your team" not in page.text
    assert "operator-1" in page.text
    assert "ticket 4711" in page.text
    assert "ticket 4711" in row.text


async def test_an_event_has_the_reference_of_its_work(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """It is the id that error pages show and log lines have, not the whole traceparent. An event that
    is older than traces has none."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    event = log.add("login", trace=f"00-{trace}-b7ad6b7169203331-01")
    page = await http.get(f"{AUDIT}/{event.id}")
    old = await http.get(f"{AUDIT}/{log.add('login').id}")

    reference = page.text.partition("Reference")[2].partition("</div>")[0]
    assert trace in reference
    assert "b7ad6b7169203331" not in reference
    assert "Reference" not in old.text


async def test_names_of_fields_alone(http: httpx.AsyncClient, log: FakeLog) -> None:
    """An event that keeps no values names the fields, and says that it has no values."""
    event = log.add("client_updated", data={"client_id": "c", "fields": ["redirect_uris"]})
    page = await http.get(f"{AUDIT}/{event.id}")

    assert "redirect_uris" in page.text
    assert "the log keeps no values" in page.text


@pytest.mark.parametrize(
    "id", ["0196f0a0-0000-7000-8000-000000000001", "not-an-id", "%00", "x" * 500]
)
async def test_an_event_of_others_does_not_exist(
    http: httpx.AsyncClient, log: FakeLog, id: str
) -> None:
    """An event that this log does not have is a page that was not found."""
    assert (await http.get(f"{AUDIT}/{id}")).status_code == 404


async def test_without_the_permission(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The log does not exist for a developer without `audit:read`, and no page leads to it."""
    event = log.add("login")
    log.developers.permissions = ["users:read"]
    home = await http.get(f"{ORIGIN}/dashboard/applications/shop")

    assert (await http.get(AUDIT)).status_code == 404
    assert (await http.get(f"{AUDIT}/{event.id}")).status_code == 404
    assert "/audit" not in home.text
    assert "hx-sse" not in home.text
