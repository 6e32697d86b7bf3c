"""The list of an application's users, and the forms that create and invite them."""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx
import pytest
from tests.kit.dashboard_users import People, people_of
from tests.kit.developers import ORIGIN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.invitations import (
    InvitationPending,
    InviteUser,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.users import CreateUser, UserCount

HTMX = {"hx-request": "true", "hx-request-type": "partial"}
USERS = "/dashboard/applications/shop/users"
PAGE = ORIGIN + USERS


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    developer = developers(world)
    developer.managed["shop"] = world.add("shop")
    sign_in(http)
    return developer


@pytest.fixture
def people(developer: Developers) -> People:
    return people_of(developer)


async def test_without_users_the_page_teaches(http: httpx.AsyncClient, people: People) -> None:
    """An empty list says where users come from, with the first action and the API call."""
    page = await http.get(PAGE)

    assert page.status_code == 200
    assert "No users yet" in page.text
    assert f'href="{USERS}/invite"' in page.text
    assert "curl -X POST http://shop.localhost:8080/api/users" in page.text


async def test_the_address_holds_search_and_filters(
    http: httpx.AsyncClient, people: People
) -> None:
    """Filters reach the API, and each chip and the next page keep the others."""
    people.add()
    people.next = "c2"
    page = await http.get(f"{PAGE}?q=mi+ra&state=disabled&address=unverified")
    (request,) = people.lists

    assert (request.search, request.disabled, request.email_verified) == ("mi ra", True, False)
    assert (
        f'href="{USERS}?q=mi+ra&amp;state=disabled&amp;address=unverified&amp;cursor=c2"'
        in page.text
    )
    assert f'href="{USERS}?q=mi+ra&amp;address=unverified"' in page.text, "without the state"
    assert f'href="{USERS}?q=mi+ra&amp;state=active&amp;address=unverified"' in page.text
    assert 'name="state" value="disabled"' in page.text, "the search form keeps the filter"
    assert 'name="cursor"' not in page.text, "a new search begins at the first page"


@pytest.mark.parametrize("query", ["", "?q=", "?q=&state=&address=", "?state=gone&address=no"])
async def test_an_empty_filter_is_no_filter(
    http: httpx.AsyncClient, people: People, query: str
) -> None:
    """A filter without value, or with a value that does not exist, shows all users."""
    people.add()
    page = await http.get(PAGE + query)
    (request,) = people.lists

    assert page.status_code == 200
    assert (request.search, request.disabled, request.email_verified) == (None, None, None)


async def test_nothing_matches(http: httpx.AsyncClient, people: People) -> None:
    """A search without a result says so and offers the whole list."""
    page = await http.get(f"{PAGE}?q=nobody")

    assert "No user matches" in page.text
    assert f'class="button" href="{USERS}"' in page.text


async def test_htmx_gets_the_list_alone(http: httpx.AsyncClient, people: People) -> None:
    """A partial request gets the list, and the same address in a new tab is a whole page."""
    people.add()
    part = await http.get(f"{PAGE}?q=m", headers=HTMX)
    page = await http.get(f"{PAGE}?q=m")

    assert "<html" not in part.text
    assert 'id="users"' in part.text
    assert "<html" in page.text


async def test_a_reader_sees_no_form(http: httpx.AsyncClient, developer: Developers) -> None:
    """Without `users:write` there is no button, and a forged form finds nothing and changes nothing."""
    people = people_of(developer, "users:read")
    people.add()
    page = await http.get(PAGE)
    token = await http.get(f"{ORIGIN}/dashboard/new")
    csrf = token.text.split('name="csrf" value="')[1].split('"')[0]

    assert "Create user" not in page.text
    assert f"{USERS}/invite" not in page.text
    for path in ("new", "invite"):
        assert (await http.get(f"{PAGE}/{path}")).status_code == 404
        forged = await http.post(f"{PAGE}/{path}", data={"csrf": csrf, "email": "eve@example.com"})
        assert forged.status_code == 404
    assert people.acts == []


async def test_every_permission_shows_every_button(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """A developer of the owning team has all permissions, written as `*`."""
    people_of(developer, "*").add()
    page = await http.get(PAGE)

    assert f'href="{USERS}/new"' in page.text
    assert f'href="{USERS}"' in page.text


async def test_without_the_right_to_read_there_is_no_list(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """Without `users:read` the sidebar has no users, and the page does not exist."""
    people = people_of(developer, "audit:read")

    assert USERS not in (await http.get(f"{ORIGIN}/dashboard/applications/shop")).text
    assert (await http.get(PAGE)).status_code == 404
    assert people.lists == []


async def test_hostile_names_are_text(http: httpx.AsyncClient, people: People) -> None:
    """Markup in a user's name and in the search stays text."""
    people.text = '<b hx-get="/x" data-hx-get="/x">\u202e"\''
    people.add()
    page = await http.get(f"{PAGE}?q=%3Cb%20hx-get%3D%22x%22%3E")

    assert "<b hx-" not in page.text
    assert "<bdi>&lt;b hx-get=" in page.text
    assert 'value="&lt;b hx-get=' in page.text


async def test_a_new_user(http: httpx.AsyncClient, people: People) -> None:
    """The form creates a user in the application of the path and leads to them."""
    answer = await post(
        http,
        f"{USERS}/new",
        f"{USERS}/new",
        email="mira@example.com",
        email_verified="1",
        name="Mira",
        password="a long password",
        app_id="0197a000-0000-7000-8000-000000000000",
    )
    (request,) = people.acts
    (user,) = people.users.values()

    assert isinstance(request, CreateUser)
    assert (request.email, request.email_verified) == ("mira@example.com", True)
    assert (request.profile.name, request.password) == ("Mira", "a long password")
    assert answer.headers["location"] == f"{USERS}/{user.id}?done=created"


async def test_a_refused_user_is_kept(http: httpx.AsyncClient, people: People) -> None:
    """An error stands at its field, with what was typed, but never the password."""
    people.add()
    taken = await post(
        http, f"{USERS}/new", f"{USERS}/new", email="mira@example.com", password="secret-1"
    )
    wrong = await post(http, f"{USERS}/new", f"{USERS}/new", email="mira", name="M" * 201)
    empty = await post(http, f"{USERS}/new", f"{USERS}/new", name="Mira")

    assert taken.status_code == 409
    assert "Another user already has this address." in taken.text
    assert 'value="mira@example.com"' in taken.text
    assert "secret-1" not in taken.text
    assert wrong.status_code == 422
    assert "M" * 201 in wrong.text
    assert empty.status_code == 422
    assert re.search(r'id="email"[^>]*aria-invalid="true"', empty.text)
    assert people.acts == []


async def test_an_invitation(http: httpx.AsyncClient, people: People) -> None:
    """The form sends an invitation with one role, and says so after the redirect."""
    page = f"{USERS}/invite"
    answer = await post(http, page, page, email="x@example.com", name="X", role_ids="editor")
    (request,) = people.acts
    shown = await http.get(ORIGIN + answer.headers["location"])

    assert isinstance(request, InviteUser)
    assert (request.email, request.role_ids) == ("x@example.com", ["editor"])
    assert "Invitation sent." in shown.text
    assert "invited@example.com" in shown.text


async def test_a_refused_invitation_is_kept(http: httpx.AsyncClient, people: People) -> None:
    """The form comes back with the address and a sentence."""
    people.refusal = InvitationPending()
    page = f"{USERS}/invite"
    answer = await post(http, page, page, email="x@example.com")

    assert answer.status_code == 409
    assert 'value="x@example.com"' in answer.text
    assert "already has an invitation" in answer.text


async def test_an_invitation_as_operator_leads_to_a_fresh_sign_in(
    http: httpx.AsyncClient, people: People
) -> None:
    """The service asks for it. The developer comes back to the form."""
    people.refusal = FreshSignInNeeded()
    page = f"{USERS}/invite"
    answer = await post(http, page, page, email="x@example.com", role_ids="editor")

    assert answer.headers["location"] == f"/login/confirm?return_to={quote(page, safe='')}"


async def test_sending_again_and_revoking(http: httpx.AsyncClient, people: People) -> None:
    """Open invitations can be sent again and revoked. An invitation of others is not found."""
    one = f"{USERS}/invitations/{people.invitation_id}"
    again = await post(http, f"{one}/resend", f"{USERS}/invite")
    revoked = await post(http, f"{one}/revoke", f"{USERS}/invite")
    foreign = f"{USERS}/invitations/0197a000-0000-7000-8000-000000000000/revoke"
    other = await post(http, foreign, f"{USERS}/invite")
    broken = await post(http, f"{USERS}/invitations/x/revoke", f"{USERS}/invite")

    assert [type(act) for act in people.acts] == [ResendInvitation, RevokeInvitation]
    assert again.headers["location"] == f"{USERS}/invite?done=resent"
    assert revoked.headers["location"] == f"{USERS}/invite?done=uninvited"
    assert (other.status_code, broken.status_code) == (404, 404)


@pytest.mark.parametrize(
    ("count", "says"),
    [
        (UserCount(count=1, relation="exact"), "1 user<"),
        (UserCount(count=1000, relation="exact"), "1,000 users<"),
        (UserCount(count=12_300, relation="estimate"), "about 12,300 users"),
        (UserCount(count=5_000, relation="at_least"), "at least 5,000 users"),
    ],
)
async def test_how_many_users_match(
    http: httpx.AsyncClient, people: People, count: UserCount, says: str
) -> None:
    """The list says below it how many users match its filters, and marks an estimate."""
    people.add()
    people.count = count
    page = await http.get(f"{PAGE}?q=mira&state=active&address=verified")
    (asked,) = people.counts

    assert says in page.text
    assert (asked.search, asked.disabled, asked.email_verified) == ("mira", False, True)
