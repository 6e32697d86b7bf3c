"""The pages for operators: who sees them, the audit log of the Dashboard, and its signing keys."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.dashboard_platform import FakePlatform, fake_platform
from tests.kit.developers import IN_DASHBOARD, ORIGIN, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.audit_log import GetAuditRecord, ListAudit
from common.contracts.keys import ListSigningKeys, RotateSigningKeys
from common.ids import DASHBOARD, new_id
from gateway.app import GatewayApp
from gateway.build import ROUTE_SETS
from gateway.dashboard import rooms
from gateway.dashboard.visit import PLATFORM
from gateway.routing import Route

LIVE = f"{PLATFORM}/live"
ROUTES = sorted(
    {
        route
        for routes in ROUTE_SETS
        for route in routes.routes
        if route.path.startswith(PLATFORM) and route.path != LIVE
    },
    key=lambda route: (route.path, route.method),
)
ROOMS = ("/health", "/signing-keys", "/settings", "/audit")


def path_of(route: Route) -> str:
    parts = (new_id() if part.startswith("{") else part for part in route.path.split("/"))
    return "/".join(parts)


@pytest.fixture
def operator(http: httpx.AsyncClient, gateway_app: GatewayApp, world: FakeServices) -> FakePlatform:
    sign_in(http)
    return fake_platform(gateway_app, world)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_nothing_exists_for_a_developer(
    http: httpx.AsyncClient, gateway_app: GatewayApp, world: FakeServices, route: Route
) -> None:
    """Every page and form of the platform answers 404 to a developer, with a token of their own. No
    service is asked. The paths come from the route table."""
    platform = fake_platform(gateway_app, world, *IN_DASHBOARD, "audit:read", "users:read")
    sign_in(http)
    token = (await http.get(f"{ORIGIN}/dashboard/new")).text.split('name="csrf" value="')[1]
    asked = len(platform.people.calls)
    if route.method == "GET":
        answer = await http.get(f"{ORIGIN}{path_of(route)}")
    else:
        form = {"csrf": token.split('"')[0]}
        answer = await http.post(f"{ORIGIN}{path_of(route)}", data=form)

    assert answer.status_code == 404
    assert platform.calls == []
    assert len(platform.people.calls) == asked
    assert platform.nats.questions == []


@pytest.mark.parametrize("path", ["health", "settings"])
async def test_the_api_refuses_a_developer(
    http: httpx.AsyncClient, gateway_app: GatewayApp, world: FakeServices, path: str
) -> None:
    """The API of the platform needs `platform:manage`, and is on the Dashboard's host alone."""
    platform = fake_platform(gateway_app, world, *IN_DASHBOARD)
    shop = world.tenants["shop.localhost:8080"]
    world.session(shop, "t_admin", "platform:manage")
    http.cookies.set("aero2_session", "t_admin", domain="shop.localhost")
    sign_in(http)
    refused = await http.get(f"{ORIGIN}/api/platform/{path}")
    elsewhere = await http.get(f"{shop.origin}/api/platform/{path}")

    assert refused.status_code == 403
    assert elsewhere.status_code == 404
    assert platform.calls == []
    assert platform.nats.questions == []


async def test_the_rooms_of_an_operator(http: httpx.AsyncClient, operator: FakePlatform) -> None:
    """Operators have the rooms of the platform in the sidebar, and each of them opens."""
    home = await http.get(f"{ORIGIN}/dashboard")
    first = await http.get(f"{ORIGIN}{PLATFORM}")

    assert first.headers["location"] == f"{PLATFORM}{rooms.PLATFORM.rooms[0].path}"
    for room in ROOMS:
        assert f'href="{PLATFORM}{room}"' in home.text
        page = await http.get(f"{ORIGIN}{PLATFORM}{room}")
        assert page.status_code == 200, room
        assert f'<a href="{PLATFORM}{room}" aria-current="page">' in page.text


async def test_developers_see_no_such_room(
    http: httpx.AsyncClient, gateway_app: GatewayApp, world: FakeServices
) -> None:
    """Neither the sidebar nor the search of a developer mentions the platform."""
    fake_platform(gateway_app, world, *IN_DASHBOARD)
    sign_in(http)
    for path in ("/dashboard", "/dashboard/search?q=health", "/dashboard/applications/shop"):
        assert PLATFORM not in (await http.get(f"{ORIGIN}{path}")).text


async def test_the_search_finds_rooms_of_the_platform(
    http: httpx.AsyncClient, operator: FakePlatform
) -> None:
    """Operators find them by their names, and by the word platform."""
    for word in ("health", "platform"):
        found = await http.get(f"{ORIGIN}/dashboard/search?q={word}")
        assert f'href="{PLATFORM}/health"' in found.text


async def test_the_log_of_the_dashboard(http: httpx.AsyncClient, operator: FakePlatform) -> None:
    """The platform's audit log is that of the Dashboard itself. Its links stay in the platform's pages,
    and the export is that of the API."""
    user_id = new_id()
    event = operator.log.add("org_created", user_id=user_id, user_email="ada@example.com")
    page = await http.get(f"{ORIGIN}{PLATFORM}/audit", params={"type": "org_created"})
    ctx, call = operator.people.calls[-1]
    shown = await http.get(f"{ORIGIN}{PLATFORM}/audit/{event.id}")

    assert isinstance(call, ListAudit)
    assert (ctx.app_id, ctx.caller.kind) == (DASHBOARD, "user")
    assert f'href="{PLATFORM}/audit/{event.id}"' in page.text
    assert 'href="/api/audit/export?event_type=org_created&amp;format=csv"' in page.text
    assert "/dashboard/applications/" not in page.text.split('<main id="content"')[1]
    assert shown.status_code == 200
    assert f'href="{PLATFORM}/developers/{user_id}"' in shown.text
    assert operator.log.calls(GetAuditRecord) == [GetAuditRecord(id=event.id)]
    assert f"{ORIGIN}/api/audit/{event.id}" in shown.text


async def test_no_event_for_a_developer(
    http: httpx.AsyncClient, gateway_app: GatewayApp, world: FakeServices
) -> None:
    """The stream ends for a developer like that of an application that does not exist."""
    fake_platform(gateway_app, world, *IN_DASHBOARD, "audit:read")
    sign_in(http)
    answers = [
        (await http.get(f"{ORIGIN}{path}")).text
        for path in (LIVE, "/dashboard/applications/other/live")
    ]

    assert answers[0] == answers[1]
    assert answers[0].endswith("event: end\ndata:\n\n")


async def test_signing_keys_of_the_dashboard(
    http: httpx.AsyncClient, operator: FakePlatform
) -> None:
    """Operators see the keys of the Dashboard with state and times, and how to rotate them."""
    page = await http.get(f"{ORIGIN}{PLATFORM}/signing-keys")
    ctx, call = operator.calls[-1]

    assert isinstance(call, ListSigningKeys)
    assert ctx.app_id == DASHBOARD
    for text in ("kid-next-of-0000", "Published, does not sign yet", "Signs", "Verifies only"):
        assert text in page.text
    assert "aero2 keys rotate dashboard --now" in page.text
    assert f"{ORIGIN}/oauth2/jwks.json" in page.text


async def test_signing_keys_of_an_application(
    http: httpx.AsyncClient, gateway_app: GatewayApp, world: FakeServices
) -> None:
    """A developer sees the keys of their application alone, and only with `settings:read`."""
    platform = fake_platform(gateway_app, world, *IN_DASHBOARD)
    sign_in(http)
    shop = platform.people.managed["shop"]
    path = "/dashboard/applications/shop/signing-keys"
    page = await http.get(f"{ORIGIN}{path}")
    ctx, _ = platform.calls[-1]
    platform.people.permissions = ["users:read"]
    refused = await http.get(f"{ORIGIN}{path}")

    assert page.status_code == 200
    assert ctx.app_id == shop.app_id
    assert f"kid-active-of-{shop.app_id[-4:]}" in page.text
    assert f'href="{path}" aria-current="page"' in page.text
    assert refused.status_code == 404


@pytest.mark.parametrize("base", [PLATFORM, "/dashboard/applications/shop"])
async def test_signing_keys_are_rotated(
    http: httpx.AsyncClient, operator: FakePlatform, base: str
) -> None:
    """A form asks when the new keys sign. The keys of one application are rotated, no others."""
    people, page = operator.people, f"{base}/signing-keys"
    people.permissions = ["settings:read", "settings:write"]
    listed = await http.get(f"{ORIGIN}{page}")
    later = await post(http, f"{page}/rotate", f"{page}/rotate", when="later")
    now = await post(http, f"{page}/rotate", f"{page}/rotate", when="now")
    after = await http.get(f"{ORIGIN}{now.headers['location']}")

    assert f'href="{page}/rotate"' in listed.text
    assert later.headers["location"] == f"{page}?done=published"
    assert now.headers["location"] == f"{page}?done=replaced"
    assert "New keys sign from now on" in after.text
    assert operator.of(RotateSigningKeys) == [RotateSigningKeys(), RotateSigningKeys(now=True)]
    app_id = DASHBOARD if base == PLATFORM else people.managed["shop"].app_id
    assert {ctx.app_id for ctx, call in operator.calls if isinstance(call, RotateSigningKeys)} == {
        app_id
    }


async def test_a_refused_rotation_is_told(http: httpx.AsyncClient, operator: FakePlatform) -> None:
    """The list comes back, and says why nothing was rotated."""
    operator.people.permissions = ["settings:read", "settings:write"]
    operator.refuses_rotation = True
    page = f"{PLATFORM}/signing-keys"
    answer = await post(http, f"{page}/rotate", f"{page}/rotate", when="now")

    assert answer.status_code == 409
    assert "too many replaced keys still verify" in answer.text


@pytest.mark.parametrize("base", [PLATFORM, "/dashboard/applications/shop"])
async def test_signing_keys_are_not_rotated_by_readers(
    http: httpx.AsyncClient, operator: FakePlatform, base: str
) -> None:
    """Without `settings:write` there is no button, no page, and a forged form is 404."""
    page = f"{base}/signing-keys"
    listed = await http.get(f"{ORIGIN}{page}")
    question = await http.get(f"{ORIGIN}{page}/rotate")
    forged = await post(http, f"{page}/rotate", "/dashboard/new", when="now")

    assert f"{page}/rotate" not in listed.text
    assert (question.status_code, forged.status_code) == (404, 404)
    assert operator.of(RotateSigningKeys) == []


@pytest.mark.parametrize("base", [PLATFORM, "/dashboard/applications/shop"])
async def test_rotation_needs_a_fresh_sign_in(
    http: httpx.AsyncClient, operator: FakePlatform, world: FakeServices, base: str
) -> None:
    """An old sign-in leads to a new one before the form."""
    operator.people.permissions = ["settings:read", "settings:write"]
    world.let_sign_ins_age()
    page = await http.get(f"{ORIGIN}{base}/signing-keys/rotate")

    assert page.headers["location"].startswith("/login/confirm?return_to=")
