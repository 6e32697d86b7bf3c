"""The page of a domain that waits for its records looks them up by itself."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime

import httpx
import pytest
from tests.kit.dashboard_settings import OwnApplication, own_application
from tests.kit.developers import ORIGIN, sign_in
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.domains import CustomDomain, CustomDomainNotFound, VerifyCustomDomain
from common.ids import new_id
from common.problems import Unavailable

DOMAINS = "/dashboard/applications/shop/domains"
HTMX = {"hx-request": "true", "hx-request-type": "partial"}
POLL = re.compile(r"<form hidden.*?</form>", re.S)
FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@pytest.fixture
def own(http: httpx.AsyncClient, world: FakeServices) -> OwnApplication:
    """An application with a domain whose records are not set."""
    application = own_application(world)
    domain = application.add_domain()
    application.domains[domain.id] = domain.model_copy(update={"checked_at": datetime.now(UTC)})

    async def verify(
        own: OwnApplication, ctx: Context, request: VerifyCustomDomain
    ) -> CustomDomain:
        if request.id not in own.domains:
            raise CustomDomainNotFound
        own.changes.append((ctx, request))
        return own.domains[request.id]

    world.bus.serve(application, {VerifyCustomDomain: verify})
    sign_in(http)
    return application


def poll_of(page: str) -> dict[str, str]:
    """Returns the fields that the page sends by itself; none if it sends nothing."""
    form = POLL.search(page)
    return {} if form is None else {k: html.unescape(v) for k, v in FIELD.findall(form[0])}


async def poll(
    http: httpx.AsyncClient, own: OwnApplication, fields: dict[str, str]
) -> httpx.Response:
    (domain,) = own.domains
    return await http.post(f"{ORIGIN}{DOMAINS}/{domain}/poll", data=fields, headers=HTMX)


async def test_only_a_change_is_shown(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """While the records are missing, the page stays as it is. Once they are found, it shows that, and looks
    no longer."""
    page = await http.get(f"{ORIGIN}{DOMAINS}")
    fields = poll_of(page.text)
    unchanged = await poll(http, own, fields)
    own.add_domain(verified=True)
    (id, other) = own.domains
    own.domains[id] = own.domains.pop(other).model_copy(update={"id": id})
    found = await poll(http, own, fields)

    assert 'hx-trigger="every 10s"' in page.text
    assert "Check records" in page.text
    assert (unchanged.status_code, unchanged.content) == (204, b"")
    assert found.status_code == 200
    assert "Verified" in found.text
    assert poll_of(found.text) == {}


async def test_a_page_left_open_stops_looking(http: httpx.AsyncClient, own: OwnApplication) -> None:
    """After an hour the page looks no longer. The button is still there."""
    fields = poll_of((await http.get(f"{ORIGIN}{DOMAINS}")).text)
    for since in (str(int(time.time()) - 3601), "", "x", "9" * 40):
        over = await poll(http, own, fields | {"since": since})

        assert over.status_code == 200
        assert poll_of(over.text) == {}
        assert "Check records" in over.text


async def test_looking_is_limited_and_no_use_of_the_session(
    http: httpx.AsyncClient, own: OwnApplication, world: FakeServices
) -> None:
    """A page that polls faster gets no more look-ups, and a page left open does not keep its session."""
    fields = poll_of((await http.get(f"{ORIGIN}{DOMAINS}")).text)
    world.checks.clear()
    statuses = {(await poll(http, own, fields)).status_code for _ in range(40)}

    assert statuses == {204}
    assert 30 <= len(own.requests) <= 35
    assert {check.is_use for check in world.checks} == {False}


async def test_a_fault_changes_nothing(
    http: httpx.AsyncClient, own: OwnApplication, world: FakeServices
) -> None:
    """If the DNS does not answer, the page stays as it is."""

    async def away(own: OwnApplication, ctx: Context, request: VerifyCustomDomain) -> CustomDomain:
        raise Unavailable

    fields = poll_of((await http.get(f"{ORIGIN}{DOMAINS}")).text)
    world.bus.serve(own, {VerifyCustomDomain: away})

    assert (await poll(http, own, fields)).status_code == 204


async def test_nobody_polls_what_is_not_theirs(
    http: httpx.AsyncClient, world: FakeServices, own: OwnApplication
) -> None:
    """A foreign domain does not exist, a reader's page does not poll, and a forged poll finds nothing."""
    fields = poll_of((await http.get(f"{ORIGIN}{DOMAINS}")).text)
    foreign = await http.post(f"{ORIGIN}{DOMAINS}/{new_id()}/poll", data=fields, headers=HTMX)
    own.people.permissions = ["domains:read"]
    page = await http.get(f"{ORIGIN}{DOMAINS}")

    assert foreign.status_code == 404
    assert poll_of(page.text) == {}
    assert (await poll(http, own, fields)).status_code == 404
