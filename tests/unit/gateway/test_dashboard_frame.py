"""The frame of the Dashboard's pages: who sees them, what is hidden, and what htmx gets."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.developers import (
    IN_DASHBOARD,
    NOW,
    ORIGIN,
    SECRET,
    Developers,
    developers,
    post,
    sign_in,
)
from tests.kit.fake_services import FakeServices
from tests.kit.markup import hidden

from common.context import Context
from common.contracts.applications import CreateApplication
from common.contracts.audit_log import AuditRecords, ListAudit
from common.contracts.organizations import CreateOrganization, Organization
from common.contracts.sessions import SessionActor
from common.ids import new_id
from common.problems import Unavailable

HTMX = {"hx-request": "true", "hx-request-type": "partial"}
OVERVIEW = f"{ORIGIN}/dashboard/applications/shop"


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    sign_in(http)
    return people


async def test_somebody_else_signs_in_first(http: httpx.AsyncClient, developer: Developers) -> None:
    """A visitor signs in and comes back. htmx loads the whole sign-in page, and comes back to the page
    that was shown."""
    http.cookies.clear()
    page = await http.get(f"{OVERVIEW}?a=1")
    shown = {"hx-current-url": f"{ORIGIN}/dashboard?cursor=c"}
    part = await http.get(OVERVIEW, headers=HTMX | shown)

    assert (page.status_code, page.headers["location"]) == (
        303,
        "/login?return_to=%2Fdashboard%2Fapplications%2Fshop%3Fa%3D1",
    )
    assert part.status_code == 204
    assert part.headers["hx-redirect"] == "/login?return_to=%2Fdashboard%3Fcursor%3Dc"
    assert "location" not in part.headers


async def test_a_page_acts_in_the_application_of_its_path(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """Calls of the page have the Context of the application, with its issuer, and the permissions
    there."""
    page = await http.get(OVERVIEW)
    ctx, call = developer.calls[-1]

    assert page.status_code == 200
    assert isinstance(call, ListAudit)
    assert ctx.app_id == developer.managed["shop"].app_id
    assert ctx.origin == "http://shop.localhost:8080"
    assert ctx.caller.kind == "developer"
    assert ctx.caller.permissions == frozenset(developer.permissions)


@pytest.mark.parametrize("slug", ["other", "x" * 70, "%00", "..%2Fdemo"])
async def test_an_application_of_others_does_not_exist(
    http: httpx.AsyncClient, developer: Developers, slug: str
) -> None:
    """Another team's application is a page that was not found."""
    page = await http.get(f"{ORIGIN}/dashboard/applications/{slug}")

    assert page.status_code == 404
    assert developer.calls == []


async def test_a_part_that_is_gone_is_a_sentence(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """htmx puts an error into the page, so it is no page of its own."""
    part = await http.get(f"{ORIGIN}/dashboard/applications/other", headers=HTMX)

    assert part.status_code == 404
    assert "<html" not in part.text


async def test_no_other_host_has_these_pages(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """The hosts of applications do not know the Dashboard's paths."""
    page = await http.get("http://shop.localhost:8080/dashboard", headers={"accept": "text/html"})

    assert page.status_code == 404


async def test_what_may_not_be_seen_is_not_asked_for(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """Without a permission the page leaves out its part, and calls no service for it."""
    developer.permissions = []

    assert (await http.get(OVERVIEW)).status_code == 200
    assert developer.calls == []


async def test_a_list_by_htmx_is_the_list_alone(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """A partial request gets the part, and no cache mistakes one for the other."""
    page = await http.get(f"{ORIGIN}/dashboard")
    part = await http.get(f"{ORIGIN}/dashboard", headers=HTMX)

    assert "<html" in page.text
    assert "<html" not in part.text
    assert 'id="applications"' in part.text
    for answer in (page, part):
        assert answer.headers["vary"] == "hx-request-type"
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'self';" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


async def test_the_first_application(http: httpx.AsyncClient, developer: Developers) -> None:
    """A developer without applications comes to the form, and a name is enough. The keys stand in the
    answer, and nowhere after."""
    developer.managed.clear()
    home = await http.get(f"{ORIGIN}/dashboard")
    new = await post(http, "/dashboard/new", "/dashboard/new", name="Tide")
    again = await http.get(f"{ORIGIN}/dashboard/applications/tide/start")
    ctx, call = developer.calls[0]

    assert (home.status_code, home.headers["location"]) == (303, "/dashboard/new")
    assert isinstance(call, CreateApplication)
    assert (call.name, ctx.caller.kind) == ("Tide", "user")
    assert SECRET in new.text
    assert new.headers["cache-control"] == "no-store"
    assert again.status_code == 200
    assert SECRET not in again.text


async def test_a_refused_name_is_kept(http: httpx.AsyncClient, developer: Developers) -> None:
    """An error stands at the field, with what was typed."""
    answer = await post(http, "/dashboard/new", "/dashboard/new", name="x" * 300)

    assert answer.status_code == 422
    assert "x" * 300 in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_a_member_sees_no_form(http: httpx.AsyncClient, world: FakeServices) -> None:
    """Without `apps:create` there is no button, and a forged form finds nothing."""
    people = developers(world, "apps:read", "teams:read")
    people.managed["shop"] = world.add("shop")
    sign_in(http)
    home = await http.get(f"{ORIGIN}/dashboard")

    assert "/dashboard/new" not in home.text
    assert (await http.get(f"{ORIGIN}/dashboard/new")).status_code == 404


async def test_a_form_of_another_session_does_nothing(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """A form acts only in the session in which it was shown."""
    page = await http.get(f"{ORIGIN}/dashboard/new")
    token = page.text.split('name="csrf" value="')[1].split('"')[0]
    world.session(world.tenants["dashboard.localhost:8080"], "t_other", "apps:read", "apps:create")
    http.cookies.set("aero2_session", "t_other", domain="dashboard.localhost")
    answer = await http.post(f"{ORIGIN}/dashboard/new", data={"csrf": token, "name": "Tide"})

    assert answer.status_code == 409
    assert developer.calls == []


async def test_an_unavailable_service_is_no_missing_page(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """If a service does not answer, the page says so."""

    async def away(world: Developers, ctx: Context, request: ListAudit) -> AuditRecords:
        raise Unavailable

    world.bus.serve(developer, {ListAudit: away})

    assert (await http.get(OVERVIEW, headers={"accept": "text/html"})).status_code == 503


async def test_a_form_that_is_sent_twice_creates_one_application(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """After a double click or a reload there is one application, and its keys are not shown again."""
    form = await http.get(f"{ORIGIN}/dashboard/new")
    fields = {name: hidden(form.text, name) for name in ("csrf", "request_id")}
    sent = [
        await http.post(f"{ORIGIN}/dashboard/new", data={**fields, "name": "Tide"})
        for _ in range(2)
    ]
    notice = await http.get(f"{ORIGIN}{sent[1].headers['location']}")

    assert SECRET in sent[0].text
    assert (sent[1].status_code, list(developer.managed)) == (303, ["shop", "tide"])
    assert "was already created" in notice.text
    assert SECRET not in notice.text


async def test_a_refused_name_creates_no_team(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """The team comes into being with the first application. A form that is sent again finds it."""
    developer.teams.clear()

    async def team(people: Developers, ctx: Context, request: CreateOrganization) -> Organization:
        people.calls.append((ctx, request))
        new = Organization(
            id=new_id(), slug="t", name=request.name, role="admin", created_at=NOW, updated_at=NOW
        )
        people.teams.append(new)
        return new

    world.bus.serve(developer, {CreateOrganization: team})
    refused = await post(http, "/dashboard/new", "/dashboard/new", name="x" * 300, team="Harbour")
    for _ in range(2):
        await post(http, "/dashboard/new", "/dashboard/new", name="Tide", team=" Harbour ")
    calls = [type(call) for _, call in developer.calls if not isinstance(call, ListAudit)]

    assert refused.status_code == 422
    assert calls == [CreateOrganization, CreateApplication, CreateApplication]


async def test_an_impersonation_shows_who_acts(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """Somebody who acts as a developer sees it on each page, with a way out."""
    calm = await http.get(OVERVIEW)
    dashboard = world.tenants["dashboard.localhost:8080"]
    session = world.session(dashboard, "t_acting", *IN_DASHBOARD)
    actor = SessionActor(kind="user", id=new_id(), session_id=new_id())
    world.sessions[dashboard.app_id, "t_acting"] = session.model_copy(
        update={"actor": actor, "name": "<b>Ada"}
    )
    http.cookies.set("aero2_session", "t_acting", domain="dashboard.localhost")
    page = await http.get(OVERVIEW)

    assert "/impersonation/end" not in calm.text
    assert 'action="/impersonation/end"' in page.text
    assert "You act as" in page.text
    assert "<b>Ada" not in page.text
