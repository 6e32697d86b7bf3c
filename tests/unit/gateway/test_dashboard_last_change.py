"""Pages with settings say who changed them last."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
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
