"""The pages of operators: developers, applications and teams, the search for a user, and support views."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.kit.dashboard_operators import OPERATOR, Operators, operators
from tests.kit.developers import IN_DASHBOARD, ORIGIN, TOKEN, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.roles import LastHolder
from common.contracts.support_views import OpenSupportView
from common.contracts.user_search import SearchUsers
from common.contracts.users import DisableUser, EnableUser
from common.ids import new_id
from common.problems import RateLimited

HOME = "/dashboard/platform"
HTMX = {"hx-request": "true", "hx-request-type": "partial"}
HOSTILE = '<b hx-get="/x" data-hx-get="/x">\u202e"\''
REASON = "ticket 4711"


@pytest.fixture
def fakes(http: httpx.AsyncClient, world: FakeServices) -> Operators:
    sign_in(http)
    return operators(world)


def pages(fakes: Operators) -> list[str]:
    """Returns the path of every page."""
    return [
        f"{HOME}/developers",
        f"{HOME}/developers/{fakes.developer_id}",
        f"{HOME}/applications",
        f"{HOME}/applications/shop",
        f"{HOME}/teams",
        f"{HOME}/teams/{fakes.team_id}",
        f"{HOME}/users",
        view_of(fakes),
    ]


def view_of(fakes: Operators) -> str:
    return f"{HOME}/users/{fakes.application_id}/{fakes.user_id}"


def forms(fakes: Operators) -> list[str]:
    """Returns the path of every form."""
    one = f"{HOME}/developers/{fakes.developer_id}"
    acts = ("disable", "enable", "operator/add", "operator/remove")
    return [*(f"{one}/{act}" for act in acts), f"{HOME}/users", view_of(fakes)]


async def test_every_page_is_inert(http: httpx.AsyncClient, fakes: Operators) -> None:
    """Names of developers, teams, applications, devices and providers stay text. Each page names its API
    call, and works without a script."""
    fakes.text = HOSTILE.replace("\u202e", "")
    fakes.opened = OpenSupportView(
        application_id=fakes.application_id, user_id=fakes.user_id, reason=REASON
    )
    for path in pages(fakes):
        page = await http.get(ORIGIN + path)

        assert page.status_code == 200, path
        assert "<b hx-" not in page.text, path
        assert "&lt;b hx-get=" in page.text or path == f"{HOME}/users", path
        assert "curl" in page.text, path
        assert "style=" not in page.text
        assert 'aria-current="page"' in page.text


async def test_a_team_shows_its_limit(http: httpx.AsyncClient, fakes: Operators) -> None:
    """Members and applications are there, and how many applications a team may have."""
    page = await http.get(f"{ORIGIN}{HOME}/teams/{fakes.team_id}")

    assert "at most 17" in page.text
    assert f'href="{HOME}/developers/{fakes.developer_id}"' in page.text
    assert f'href="{HOME}/applications/shop"' in page.text


async def test_roles_have_the_names_of_a_team(http: httpx.AsyncClient, fakes: Operators) -> None:
    """Roles have the names here that members read on the pages of their team, not their ids."""
    fakes.text = "admin"
    for path in (f"teams/{fakes.team_id}", f"developers/{fakes.developer_id}"):
        page = await http.get(f"{ORIGIN}{HOME}/{path}")

        assert '<span class="badge"><bdi>Admin</bdi></span>' in page.text, path


async def test_the_cluster_of_an_application(http: httpx.AsyncClient, fakes: Operators) -> None:
    """The page names the database cluster if it is not `main`, the only one that most deployments have."""
    page = f"{ORIGIN}{HOME}/applications/shop"
    assert "Database cluster" not in (await http.get(page)).text

    fakes.home = "west"
    assert '<dt>Database cluster</dt><dd><code dir="ltr">west</code>' in (await http.get(page)).text


async def test_others_do_not_find_the_pages(http: httpx.AsyncClient, world: FakeServices) -> None:
    """For a developer, pages and forms do not exist, and no service is asked to act."""
    fakes = operators(world, *IN_DASHBOARD, "users:read", "teams:write")
    sign_in(http)
    shown = await http.get(f"{ORIGIN}/dashboard/teams")
    token = TOKEN.search(shown.text)
    assert token
    fields = {"csrf": token[1], "email": "ada@example.com", "reason": REASON}
    for path in pages(fakes):
        assert (await http.get(ORIGIN + path)).status_code == 404, path
    for path in forms(fakes):
        assert (await http.post(ORIGIN + path, data=fields)).status_code == 404, path

    assert fakes.acts == []
    assert HOME not in shown.text


async def test_a_reader_of_developers_sees_no_acts(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """With `developers:read` alone, the page has no button, and forged requests are not found."""
    fakes = operators(world, *IN_DASHBOARD, "developers:read", "teams:write")
    sign_in(http)
    page = await http.get(f"{ORIGIN}{HOME}/developers/{fakes.developer_id}")
    token = TOKEN.search((await http.get(f"{ORIGIN}/dashboard/teams")).text)
    assert token
    for path in forms(fakes):
        answer = await http.post(ORIGIN + path, data={"csrf": token[1]})
        assert answer.status_code == 404, path

    assert page.status_code == 200
    assert "<form method" not in page.text
    assert fakes.acts == []


@pytest.mark.parametrize("id", ["0197a000-0000-7000-8000-000000000000", "x", "%00", "..%2Fnew"])
async def test_what_does_not_exist_is_not_found(
    http: httpx.AsyncClient, fakes: Operators, id: str
) -> None:
    """Unknown ids and texts that are none. The page asks for a reason, also if there is no such user."""
    for path in (f"developers/{id}", f"applications/{id}", f"teams/{id}"):
        assert (await http.get(f"{ORIGIN}{HOME}/{path}")).status_code == 404, path
    is_id = id.startswith("0197")
    asks = await http.get(f"{ORIGIN}{HOME}/users/{fakes.application_id}/{id}")
    assert asks.status_code == (200 if is_id else 404)
    opening = await post(
        http, f"{HOME}/users/{fakes.application_id}/{id}", f"{HOME}/users", reason=REASON
    )
    assert opening.status_code == 404


@pytest.mark.parametrize("list_", ["developers", "applications", "teams"])
async def test_a_list_keeps_its_search(
    http: httpx.AsyncClient, fakes: Operators, list_: str
) -> None:
    """The next page has the search, htmx gets the list alone, and an empty result says what to do."""
    fakes.next = "c_2"
    page = await http.get(f"{ORIGIN}{HOME}/{list_}?q=%22%3Eada")
    part = await http.get(f"{ORIGIN}{HOME}/{list_}?q=ada", headers=HTMX)
    fakes.nobody = True
    nobody = await http.get(f"{ORIGIN}{HOME}/{list_}?q=ada")

    assert fakes.lists[0].search == '">ada'
    assert f'href="{HOME}/{list_}?q=%22%3Eada&amp;cursor=c_2"' in page.text
    assert 'value="&#34;&gt;ada"' in page.text
    assert "<html" not in part.text
    assert part.status_code == 200
    assert "Show all" in nobody.text


ACTS = {
    "disable": DisableUser,
    "enable": EnableUser,
    "operator/add": AssignRole,
    "operator/remove": UnassignRole,
}


@pytest.mark.parametrize("path", ACTS)
async def test_an_act_reaches_the_developer_of_its_path(
    http: httpx.AsyncClient, fakes: Operators, path: str
) -> None:
    """Whatever the form names. A notice says what happened."""
    one = f"{HOME}/developers/{fakes.developer_id}"
    answer = await post(http, f"{one}/{path}", one, user_id=new_id(), role_id="member")
    (request,) = fakes.acts
    shown = await http.get(ORIGIN + answer.headers["location"])

    assert answer.status_code == 303
    assert type(request) is ACTS[path]
    assert getattr(request, "user_id") == fakes.developer_id  # noqa: B009
    assert getattr(request, "role_id", "operator") == "operator"
    assert 'class="note good"' in shown.text


@pytest.mark.parametrize("path", ["disable", "operator/remove"])
async def test_the_last_operator_reads_why(
    http: httpx.AsyncClient, fakes: Operators, path: str
) -> None:
    """The refusal stands on the page."""
    fakes.refusal = LastHolder()
    one = f"{HOME}/developers/{fakes.developer_id}"
    answer = await post(http, f"{one}/{path}", one)

    assert answer.status_code == 409
    assert "last user with this role" in answer.text


async def test_a_search_is_answered_at_once(http: httpx.AsyncClient, fakes: Operators) -> None:
    """The address stands in no URL. The result leads to the support view."""
    answer = await post(
        http, f"{HOME}/users", f"{HOME}/users", email=" ada@example.com ", reason=REASON
    )

    assert answer.status_code == 200
    assert fakes.acts == [SearchUsers(email="ada@example.com", reason=REASON)]
    assert f'href="{view_of(fakes)}"' in answer.text
    assert "Only the first 100" in answer.text
    fakes.nobody = True
    nobody = await post(
        http, f"{HOME}/users", f"{HOME}/users", email="x@example.com", reason=REASON
    )
    assert "Nobody has this address" in nobody.text


@pytest.mark.parametrize(
    ("email", "reason", "wrong"), [("ada", REASON, "email"), ("ada@example.com", "x", "reason")]
)
async def test_a_refused_search_keeps_the_input(
    http: httpx.AsyncClient, fakes: Operators, email: str, reason: str, wrong: str
) -> None:
    """Nothing is searched without a reason or an address."""
    answer = await post(http, f"{HOME}/users", f"{HOME}/users", email=email, reason=reason)

    assert answer.status_code == 422
    assert f'value="{email}"' in answer.text
    assert f'value="{reason}"' in answer.text
    assert f'id="{wrong}-error"' in answer.text
    assert fakes.acts == []


async def test_too_many_searches_wait(http: httpx.AsyncClient, fakes: Operators) -> None:
    """The page says how long, and keeps the reason."""
    fakes.refusal = RateLimited(retry_after=60)
    answer = await post(
        http, f"{HOME}/users", f"{HOME}/users", email="ada@example.com", reason=REASON
    )

    assert answer.status_code == 429
    assert f'value="{REASON}"' in answer.text


async def test_a_support_view_asks_for_the_reason_first(
    http: httpx.AsyncClient, fakes: Operators
) -> None:
    """The page shows nothing of the user before, and keeps the reason if it is too short."""
    path = view_of(fakes)
    asks = await http.get(ORIGIN + path)
    short = await post(http, path, path, reason="x")
    answer = await post(http, path, path, reason=REASON)
    shown = await http.get(ORIGIN + answer.headers["location"])

    assert "Harbour" not in asks.text
    assert short.status_code == 422
    assert 'value="x"' in short.text
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert [type(one) for one in fakes.acts] == [OpenSupportView]
    assert REASON in shown.text
    assert "Harbour" in shown.text
    assert "<form method" not in shown.text


async def test_an_old_sign_in_confirms_first(
    http: httpx.AsyncClient, world: FakeServices, fakes: Operators
) -> None:
    """Before the form is filled in. An open view stays readable."""
    await http.get(ORIGIN + view_of(fakes))
    old = {"factor_times": {"totp": int(time.time()) - 3600}}
    dashboard = world.tenants["dashboard.localhost:8080"]
    session = fakes.people.session.model_copy(update=old)
    world.sessions[dashboard.app_id, "t_dev"] = session
    http.cookies.clear()
    world.sessions[dashboard.app_id, "t_old"] = session
    http.cookies.set("aero2_session", "t_old", domain="dashboard.localhost")
    search = await http.get(f"{ORIGIN}{HOME}/users")
    asks = await http.get(ORIGIN + view_of(fakes))
    fakes.opened = OpenSupportView(
        application_id=fakes.application_id, user_id=fakes.user_id, reason=REASON
    )
    shown = await http.get(ORIGIN + view_of(fakes))
    one = f"{HOME}/developers/{fakes.developer_id}"
    promotion = await post(http, f"{one}/operator/add", one)

    assert fakes.acts == []
    for page in (search, asks, promotion):
        assert page.status_code == 303
        assert page.headers["location"].startswith("/login/confirm?")
    assert shown.status_code == 200


API = (
    ("GET", "developers", "developers:read"),
    ("GET", "developers/{developer_id}", "developers:read"),
    ("POST", "developers/{developer_id}/disable", "developers:write"),
    ("POST", "developers/{developer_id}/enable", "developers:write"),
    ("PUT", "developers/{developer_id}/operator", "roles:write"),
    ("DELETE", "developers/{developer_id}/operator", "roles:write"),
    ("GET", "applications", "apps:read:all"),
    ("GET", "applications/shop", "apps:read:all"),
    ("POST", "user-search", "platform:manage"),
    ("POST", "support-views", "platform:manage"),
    ("GET", "support-views/{application_id}/{user_id}", "platform:manage"),
)


@pytest.mark.parametrize(("method", "path", "needs"), API)
async def test_each_call_needs_its_permission(
    http: httpx.AsyncClient, world: FakeServices, method: str, path: str, needs: str
) -> None:
    """An operator may call it on the Dashboard's host only. Somebody without the permission gets 403,
    and no service acts."""
    fakes = operators(world)
    sign_in(http)
    fakes.opened = OpenSupportView(
        application_id=fakes.application_id, user_id=fakes.user_id, reason=REASON
    )
    bodies = {
        "user-search": {"email": "ada@example.com", "reason": REASON},
        "support-views": fakes.opened.model_dump(),
    }
    url, body = f"/api/platform/{path.format(**vars(fakes))}", bodies.get(path)
    headers = {"origin": ORIGIN}
    answer = await http.request(method, ORIGIN + url, json=body, headers=headers)
    shop = world.add("shop")
    elsewhere = await http.request(method, shop.origin + url, json=body)
    acts = list(fakes.acts)
    world.rights[fakes.people.session.user_id] = [one for one in OPERATOR if one != needs]
    world.sessions[world.tenants["dashboard.localhost:8080"].app_id, "t_2"] = (
        fakes.people.session.model_copy(update={"id": new_id()})
    )
    http.cookies.clear()
    http.cookies.set("aero2_session", "t_2", domain="dashboard.localhost")
    refused = await http.request(method, ORIGIN + url, json=body, headers=headers)

    assert answer.status_code in (200, 201), answer.text
    assert elsewhere.status_code in (401, 404)
    assert refused.status_code == 403, refused.text
    assert fakes.acts == acts
