"""Pages with settings, clients, roles and identity providers say who changed them last."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.kit.dashboard_clients import fake_clients
from tests.kit.dashboard_providers import fake_providers
from tests.kit.dashboard_roles import role_pages
from tests.kit.dashboard_settings import OwnApplication, own_application
from tests.kit.developers import NOW, ORIGIN, sign_in
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.audit_log import AuditRecord, AuditRecords, ListAudit
from common.ids import new_id
from common.problems import Unavailable

SHOP = f"{ORIGIN}/dashboard/applications/shop"
HOSTILE = '<b hx-get="/x">"Mira'
LINE = re.compile(r'<p class="muted fine">Last changed <a href="([^"]+)">.*?</p>', re.S)


def changed(fields: list[str], **more: Any) -> AuditRecord:
    return AuditRecord(
        id=new_id(),
        event_type="application_updated",
        event_data={"fields": fields},
        created_at=NOW,
        **more,
    )


@pytest.fixture
def own(http: httpx.AsyncClient, world: FakeServices) -> OwnApplication:
    sign_in(http)
    return own_application(world)


def log(own: OwnApplication, *events: AuditRecord) -> list[ListAudit]:
    """Fills the log, and returns the calls that read it."""
    calls: list[ListAudit] = []

    async def read(own: OwnApplication, ctx: Context, request: ListAudit) -> AuditRecords:
        calls.append(request)
        return AuditRecords(audit_logs=list(events))

    own.people.world.bus.serve(own, {ListAudit: read})
    return calls


async def test_the_latest_change_of_the_page_itself(
    http: httpx.AsyncClient, own: OwnApplication
) -> None:
    """Settings and branding share a type of event: each page shows its own. One call of bounded size reads
    them."""
    settings, branding = changed(["settings.signup_mode"]), changed(["logo_url"])
    calls = log(own, branding, settings)

    for path, event in (("settings", settings), ("branding", branding)):
        line = LINE.search((await http.get(f"{SHOP}/{path}")).text)
        assert line
        assert line[1] == f"/dashboard/applications/shop/audit/{event.id}"
    assert [(call.event_type, call.limit) for call in calls] == [("application_updated", 20)] * 2


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        ({"actor_kind": "developer", "actor_id": "me"}, "by you"),
        ({"actor_kind": "developer", "actor_id": new_id()}, "by a developer of your team"),
        ({"actor_kind": "secret_key"}, "by a secret key"),
        ({"actor_kind": "user", "user_name": HOSTILE}, "by &lt;b hx-get=&#34;/x&#34;&gt;&#34;Mira"),
        ({}, "</a></p>"),
    ],
)
async def test_it_says_who(
    http: httpx.AsyncClient, own: OwnApplication, actor: dict[str, str], words: str
) -> None:
    """The person is named as far as the log knows them, and a name is text."""
    if actor.get("actor_id") == "me":
        actor = actor | {"actor_id": own.people.session.user_id}
    log(own, changed(["settings.signup_mode"], **actor))
    line = LINE.search((await http.get(f"{SHOP}/settings")).text)

    assert line
    assert words in line[0]
    assert HOSTILE not in line[0]


async def test_a_page_without_the_log(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """Without the right or the service the page has no such line, and is of use."""

    async def away(own: OwnApplication, ctx: Context, request: ListAudit) -> AuditRecords:
        raise Unavailable

    own.people.world.bus.serve(own, {ListAudit: away})
    page = await http.get(f"{SHOP}/settings")
    calls = log(own, changed(["settings.signup_mode"]))
    own.people.permissions = ["settings:read", "apps:read"]
    reader = await http.get(f"{SHOP}/settings")

    assert (page.status_code, reader.status_code) == (200, 200)
    assert not LINE.search(page.text)
    assert not LINE.search(reader.text)
    assert calls == []


LATER = NOW + timedelta(days=1)


def client_changed(own: OwnApplication, when: datetime) -> tuple[str, dict[str, str]]:
    fake = fake_clients(own.people)
    client = fake.add("tide")
    fake.clients["tide"] = client.model_copy(update={"updated_at": when})
    return f"clients/{client.client_id}", {"client_id": client.client_id}


def role_changed(own: OwnApplication, when: datetime) -> tuple[str, dict[str, str]]:
    fake = role_pages(own.people)
    fake.roles["editor"] = fake.roles["editor"].model_copy(update={"updated_at": when})
    return "roles/editor", {"role_id": "editor", "kind": "application"}


def provider_changed(own: OwnApplication, when: datetime) -> tuple[str, dict[str, str]]:
    fake = fake_providers(own.people)
    provider = fake.add("google")
    fake.providers[provider.id] = provider.model_copy(update={"updated_at": when})
    return f"providers/{provider.id}", {"idp_id": provider.id}


Change = Callable[[OwnApplication, datetime], tuple[str, dict[str, str]]]
things = pytest.mark.parametrize(
    ("change", "event_type"),
    [
        (client_changed, "client_updated"),
        (role_changed, "role_updated"),
        (provider_changed, "idp_updated"),
    ],
)


def thing_event(event_type: str, data: dict[str, str], when: datetime = LATER) -> AuditRecord:
    return AuditRecord(
        id=new_id(),
        event_type=event_type,
        event_data=data,
        created_at=when,
        actor_kind="secret_key",
    )


@things
async def test_a_thing_says_who_changed_it(
    http: httpx.AsyncClient, own: OwnApplication, change: Change, event_type: str
) -> None:
    """The page finds the event of this thing among the latest ones of all, in one call of bounded size."""
    own.people.permissions = ["*"]
    path, subject = change(own, LATER)
    event = thing_event(event_type, subject, LATER + timedelta(seconds=2))
    other = thing_event(event_type, dict.fromkeys(subject, "another"))
    calls = log(own, other, event)
    line = LINE.search((await http.get(f"{SHOP}/{path}")).text)

    assert line
    assert line[1] == f"/dashboard/applications/shop/audit/{event.id}"
    assert "by a secret key" in line[0]
    assert [(call.event_type, call.limit) for call in calls] == [(event_type, 20)]


@things
async def test_an_earlier_event_does_not_name_the_person(
    http: httpx.AsyncClient, own: OwnApplication, change: Change, event_type: str
) -> None:
    """If the event of the last change is not there, the page says the time alone."""
    own.people.permissions = ["*"]
    path, subject = change(own, LATER)
    log(own, thing_event(event_type, subject, NOW + timedelta(hours=1)))
    page = await http.get(f"{SHOP}/{path}")

    assert f'Last changed <time datetime="{LATER.isoformat()}"' in page.text
    assert "by a secret key" not in page.text


@things
async def test_a_thing_that_nobody_changed(
    http: httpx.AsyncClient, own: OwnApplication, change: Change, event_type: str
) -> None:
    """A new thing has no such line, and a reader without the log makes no call for it."""
    own.people.permissions = ["clients:read", "roles:read", "idps:read"]
    path, subject = change(own, NOW)
    calls = log(own, thing_event(event_type, subject))
    page = await http.get(f"{SHOP}/{path}")

    assert page.status_code == 200
    assert "Last changed" not in page.text
    assert calls == []
