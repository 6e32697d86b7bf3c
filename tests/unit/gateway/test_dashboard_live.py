"""The live parts of pages when there is nothing to follow: the stream ends with a note, and never
redirects."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.kit.dashboard_audit import FakeLog, fake_log
from tests.kit.developers import ORIGIN, developers, sign_in
from tests.kit.fake_services import FakeServices

from common.problems import Busy
from gateway.admission.flood_limits import digest_of
from gateway.app import GatewayApp
from gateway.audit_followers import FollowerSlots

LIVE = f"{ORIGIN}/dashboard/applications/shop/live?as=row"
END = "event: end\ndata:\n\n"


@pytest.fixture
def log(http: httpx.AsyncClient, world: FakeServices) -> FakeLog:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    sign_in(http)
    return fake_log(people)


def assert_ended(answer: httpx.Response, sentence: str) -> None:
    """Checks that a stream ended for good, with a note on the page."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.endswith(END)
    assert sentence in answer.text
    assert 'hx-swap-oob="true"' in answer.text


async def test_signed_out(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Without a session the stream ends. A redirect would put the sign-in page into the list, and a
    refusal would be asked for again and again."""
    http.cookies.clear()

    assert_ended(await http.get(LIVE), "you are signed out")


async def test_without_the_permission(http: httpx.AsyncClient, log: FakeLog) -> None:
    """A developer without `audit:read` gets no event."""
    log.developers.permissions = []

    assert_ended(await http.get(LIVE), "you may not see these events")


@pytest.mark.parametrize("slug", ["other", "x" * 70, "%00"])
async def test_an_application_of_others(http: httpx.AsyncClient, log: FakeLog, slug: str) -> None:
    """The stream of another team's application ends like one without permission."""
    answer = await http.get(f"{ORIGIN}/dashboard/applications/{slug}/live")

    assert_ended(answer, "you may not see these events")


async def test_a_fault_of_ours_is_not_the_end(http: httpx.AsyncClient, log: FakeLog) -> None:
    """If there is no stream now, the browser comes back after a while."""
    answer = await http.get(LIVE)

    assert answer.status_code == 200
    assert re.search(r"^event: away\nretry: \d{4,5}\ndata:\n\n", answer.text, re.MULTILINE)
    assert "event: end" not in answer.text


async def test_the_check_is_no_use_of_the_session(
    http: httpx.AsyncClient, log: FakeLog, world: FakeServices
) -> None:
    """A page that is left open does not keep the session alive."""
    await http.get(LIVE)

    assert world.checks
    assert not any(check.is_use for check in world.checks)


async def test_four_streams_of_a_session(
    http: httpx.AsyncClient, log: FakeLog, gateway_app: GatewayApp
) -> None:
    """The fifth stream of a session ends with a note. A place that was freed is taken again."""
    slots = gateway_app.gateway.followers
    session = log.developers.session.id
    slots.of_sessions[session] = 4
    refused = await http.get(LIVE)
    slots.of_sessions[session] = 3
    accepted = await http.get(LIVE)

    assert_ended(refused, "reload the page")
    assert "event: end" not in accepted.text
    assert slots.of_sessions == {session: 3}


def test_places_of_a_session_are_freed() -> None:
    """A place is free again after the stream, whatever ended it. Sessions do not share places."""
    slots = FollowerSlots()

    def stream() -> None:
        with slots.one_of("a", 1), slots.one_of("b", 1), slots.one_of("a", 1):
            pass

    with pytest.raises(Busy):
        stream()

    assert slots.of_sessions == {}


async def test_no_other_host_has_the_stream(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The hosts of applications do not know the path."""
    answer = await http.get("http://shop.localhost:8080/dashboard/applications/shop/live")

    assert answer.status_code == 404


async def test_a_valid_session_is_not_charged(
    http: httpx.AsyncClient, log: FakeLog, gateway_app: GatewayApp
) -> None:
    """The session is checked before the answer begins. So a browser that comes back often, to a replica
    that does not know the session yet, does not use up the limit for cookies that are not valid."""
    limits = gateway_app.gateway.limits
    await http.get(LIVE)
    app_id = log.developers.world.tenants["dashboard.localhost:8080"].app_id

    assert limits.scale
    assert digest_of(app_id, b"t_dev") in limits.valid
