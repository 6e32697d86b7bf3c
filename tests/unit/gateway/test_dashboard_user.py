"""The pages of one user, and what developers do there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.kit.dashboard_users import LINK, People, people_of
from tests.kit.developers import NOW, ORIGIN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.consents import RevokeUserGrant
from common.contracts.identities import UnlinkUserIdentity
from common.contracts.impersonation import StartImpersonation
from common.contracts.members import AddMember, RemoveMember
from common.contracts.passkeys import RemoveUserPasskey
from common.contracts.profiles import User
from common.contracts.roles import LastHolder, NotHeld
from common.contracts.second_factors import ResetSecondFactors
from common.contracts.sessions import RevokeUserSession, RevokeUserSessions
from common.contracts.sign_in import LastWayIn
from common.contracts.users import (
    DeleteUser,
    DisableUser,
    EnableUser,
    ForceReset,
    UnlockUser,
    UpdateUser,
)
from common.ids import new_id

USERS = "/dashboard/applications/shop/users"
TABS = (
    "",
    "/sessions",
    "/ways-in",
    "/roles",
    "/organizations",
    "/grants",
    "/activity",
    "/data",
)
FORMS = ("/delete", "/impersonate", "/reset-factors")
HOSTILE = '<b hx-get="/x" data-hx-get="/x">\u202e"\''


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    developer = developers(world)
    developer.managed["shop"] = world.add("shop", impersonation=True)
    sign_in(http)
    return developer


@pytest.fixture
def people(developer: Developers) -> People:
    return people_of(developer)


def path_of(user: User) -> str:
    return f"{USERS}/{user.id}"


def version(user: User) -> str:
    return user.version


@pytest.mark.parametrize("tab", TABS + FORMS)
async def test_every_page_says_whose_it_is(
    http: httpx.AsyncClient, people: People, tab: str
) -> None:
    """Each page has the name, the state, the id and its API call. Hostile text stays text."""
    people.text = HOSTILE
    user = people.add(disabled=True)
    page = await http.get(ORIGIN + path_of(user) + tab)

    assert page.status_code == 200
    assert user.id in page.text
    assert "Disabled" in page.text
    assert "curl" in page.text
    assert "<b hx-" not in page.text
    assert "<bdi>&lt;b hx-get=" in page.text
    assert "style=" not in page.text


@pytest.mark.parametrize("tab", TABS + FORMS)
@pytest.mark.parametrize("id", ["0197a000-0000-7000-8000-000000000000", "x", "%00", "..%2Fnew"])
async def test_a_user_of_others_does_not_exist(
    http: httpx.AsyncClient, people: People, tab: str, id: str
) -> None:
    """An id of another application, or none, is a page that was not found."""
    people.add()

    assert (await http.get(f"{ORIGIN}{USERS}/{id}{tab}")).status_code == 404


ACTS = {
    "disable": DisableUser,
    "enable": EnableUser,
    "unlock": UnlockUser,
    "force-reset": ForceReset,
    "sessions/revoke": RevokeUserSessions,
    "sessions/{session_id}/revoke": RevokeUserSession,
    "ways-in/passkeys/{passkey_id}/remove": RemoveUserPasskey,
    "ways-in/accounts/{link_id}/disconnect": UnlinkUserIdentity,
    "reset-factors": ResetSecondFactors,
    "roles": AssignRole,
    "roles/admin/remove": UnassignRole,
    "organizations": AddMember,
    "organizations/{organization.id}/remove": RemoveMember,
    "grants/revoke": RevokeUserGrant,
}


@pytest.mark.parametrize("path", ACTS)
async def test_an_act_reaches_the_user_of_its_path(
    http: httpx.AsyncClient, people: People, path: str
) -> None:
    """The act concerns the user of the path, whatever the form names, and a notice says what happened."""
    user, other = people.add(), people.add(email="other@example.com")
    act = f"{path_of(user)}/{path.format(**vars(people))}"
    answer = await post(http, act, path_of(user), role_id="editor", user_id=other.id,
                        client_id="client_x", organization="acme")  # fmt: skip
    (request,) = people.acts
    shown = await http.get(ORIGIN + answer.headers["location"])

    assert answer.status_code == 303
    assert type(request) is ACTS[path]
    assert request.user_id == user.id
    assert 'role="status"' in shown.text
    assert 'class="note good"' in shown.text


@pytest.mark.parametrize("path", [*ACTS, "", "data", "delete", "impersonate"])
async def test_a_reader_changes_nothing(
    http: httpx.AsyncClient, developer: Developers, path: str
) -> None:
    """Without the permission a forged form finds nothing, and nothing changes."""
    people = people_of(developer, "users:read", "roles:read")
    user = people.add()
    act = f"{path_of(user)}/{path.format(**vars(people))}".rstrip("/")
    answer = await post(
        http,
        act,
        "/dashboard/new",
        confirmation=user.id,
        role_id="editor",
        reason="why",
        minutes="5",
    )

    assert answer.status_code == 404
    assert people.acts == []


async def test_a_reader_sees_no_button(http: httpx.AsyncClient, developer: Developers) -> None:
    """Without permissions the pages have no form and no link to one, and hidden tabs do not exist."""
    people = people_of(developer, "users:read")
    user = people.add()
    pages = [await http.get(ORIGIN + path_of(user) + tab) for tab in ("", "/sessions", "/ways-in")]

    for page in pages:
        assert page.status_code == 200
        assert 'method="post"' not in page.text
        assert "/delete" not in page.text
        assert "/reset-factors" not in page.text
        assert "/roles" not in page.text
    for tab in ("/roles", "/organizations", "/activity", *FORMS):
        assert (await http.get(ORIGIN + path_of(user) + tab)).status_code == 404


@pytest.mark.parametrize(
    ("refusal", "path", "sentence"),
    [
        (LastWayIn(), "reset-factors", "only way to sign in"),
        (LastHolder(), "roles/admin/remove", "last user with this role"),
        (NotHeld(), "disable", "have here"),
    ],
)
async def test_a_refusal_is_a_sentence(
    http: httpx.AsyncClient, people: People, refusal: NotHeld, path: str, sentence: str
) -> None:
    """What a service refuses stands on the page where the act was."""
    user = people.add()
    people.refusal = refusal
    answer = await post(http, f"{path_of(user)}/{path}", path_of(user))

    assert answer.status_code in (409, 422)
    assert sentence in answer.text
    assert people.acts == []


@pytest.mark.parametrize(
    "path",
    ["sessions/{id}/revoke", "ways-in/passkeys/{id}/remove", "ways-in/accounts/{id}/disconnect"],
)
async def test_a_thing_of_others_is_not_found(
    http: httpx.AsyncClient, people: People, path: str
) -> None:
    """An id below the user that is not theirs is not found."""
    user = people.add()
    for id in (new_id(), "x"):
        answer = await post(http, f"{path_of(user)}/{path.format(id=id)}", path_of(user))
        assert answer.status_code == 404
    assert people.acts == []


async def test_the_profile_form_sends_what_changed(http: httpx.AsyncClient, people: People) -> None:
    """Fields that stay as they are are not sent, so that an address keeps its verification."""
    user = people.add(email_verified=True, locale="de")
    answer = await post(
        http,
        path_of(user),
        path_of(user),
        version=version(user),
        email="mira@example.com",
        email_verified="1",
        name="Mira O.",
        locale="",
    )
    (request,) = people.acts

    assert isinstance(request, UpdateUser)
    assert request.changes.model_dump(exclude_unset=True) == {"name": "Mira O.", "locale": None}
    assert answer.headers["location"] == f"{path_of(user)}?done=profile"


async def test_a_refused_profile_is_kept(http: httpx.AsyncClient, people: People) -> None:
    """The form comes back with what was typed, and a sentence at each field."""
    user = people.add()
    answer = await post(
        http, path_of(user), path_of(user), version=version(user), email="mira", zoneinfo="Moon/Sea"
    )

    assert answer.status_code == 422
    assert 'value="mira"' in answer.text
    assert 'value="Moon/Sea"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert people.acts == []


@pytest.mark.parametrize("tab", ["", "/data"])
async def test_the_second_of_two_editors_is_told(
    http: httpx.AsyncClient, people: People, tab: str
) -> None:
    """If somebody else changed the user meanwhile, nothing is stored and the input is kept. Saving the
    form that comes back stores it."""
    user = people.add()
    people.change(user.id, updated_at=NOW + timedelta(seconds=1), name="Theirs")
    mine = {"name": "Mine", "email": "mira@example.com", "public_metadata": '{"mine": 1}'}
    answer = await post(http, path_of(user) + tab, path_of(user), version=version(user), **mine)
    kept = "Mine" if not tab else "{&#34;mine&#34;: 1}"

    assert answer.status_code == 412
    assert "Someone changed this while you edited it" in answer.text
    assert kept in answer.text
    assert tab or "Theirs" in answer.text
    assert people.acts == []

    found = re.search(r'name="version" value="([^"]+)"', answer.text)
    assert found
    again = await post(http, path_of(user) + tab, path_of(user), version=found[1], **mine)
    assert again.status_code == 303
    assert len(people.acts) == 1


async def test_metadata_is_edited_as_json(http: httpx.AsyncClient, people: People) -> None:
    """Kinds that differ are stored. An empty text is an empty object."""
    user = people.add(private_metadata={"plan": "studio"}, user_metadata={"theme": "dark"})
    page = f"{path_of(user)}/data"
    answer = await post(
        http,
        page,
        page,
        version=version(user),
        public_metadata='{"seats": 12}',
        private_metadata="",
        user_metadata='{"theme":"dark"}',
    )
    (request,) = people.acts

    assert isinstance(request, UpdateUser)
    assert request.changes.model_dump(exclude_unset=True) == {
        "public_metadata": {"seats": 12},
        "private_metadata": {},
    }
    assert answer.headers["location"] == f"{page}?done=data"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{\n  "plan": "studio",\n}', "look at line 2, column"),
        ('{"plan": NaN}', "look at line 1"),
        ("[1]", "Enter a JSON object"),
        ("[" * 5000, "look at line 1"),
        ('{"a": "\\ud800"}', "look at line 1"),
        ('{"n": 12345678901234567890123}', "does not fit into 64 bits"),
        ('{"n": 0.12345678901234567890123}', "too many digits"),
        ('{"a": 1, "a": 2}', "occurs twice"),
    ],
)
async def test_text_that_is_no_json_is_kept(
    http: httpx.AsyncClient, people: People, text: str, sentence: str
) -> None:
    """The form says where the fault is, keeps the text and stores nothing."""
    user = people.add()
    page = f"{path_of(user)}/data"
    answer = await post(
        http, page, page, version=version(user), public_metadata=text, private_metadata='{"b": 1}'
    )

    assert answer.status_code == 422
    assert sentence in answer.text
    assert "{&#34;b&#34;: 1}" in answer.text
    assert people.acts == []


async def test_deleting_needs_the_address_typed(http: httpx.AsyncClient, people: People) -> None:
    """The server compares. The address in any case or the id deletes, anything else does not."""
    user = people.add()
    page = f"{path_of(user)}/delete"
    for wrong in ("", "Mira", "mira@example.co", user.id[:-1]):
        answer = await post(http, page, page, confirmation=wrong)
        assert answer.status_code == 422
        assert "This is not the address or id of this user." in answer.text
    assert people.acts == []

    nameless = people.add(email=None, name=None)
    gone = await post(http, f"{path_of(nameless)}/delete", page, confirmation="")
    assert gone.status_code == 422
    assert people.acts == []

    for right in (" MIRA@example.com ", user.id):
        answer = await post(http, page, page, confirmation=right)
        assert answer.headers["location"] == f"{USERS}?done=deleted"
    assert [type(act) for act in people.acts] == [DeleteUser, DeleteUser]


async def test_acting_as_a_user_ends_with_a_link(http: httpx.AsyncClient, people: People) -> None:
    """The answer is a page with the link to the application's host, not a redirect there. The page is
    not stored and names nothing in its address."""
    user = people.add()
    page = f"{path_of(user)}/impersonate"
    refused = await post(http, page, page, reason="x", minutes="61")
    answer = await post(http, page, page, reason="Ticket 4711", minutes="30")
    (request,) = people.acts

    assert refused.status_code == 422
    assert isinstance(request, StartImpersonation)
    assert (request.user_id, request.reason, request.minutes) == (user.id, "Ticket 4711", 30)
    assert answer.status_code == 200
    assert f'href="{LINK}" target="_blank" rel="noopener noreferrer"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert LINK not in (await http.get(ORIGIN + page)).text


async def test_without_impersonation_there_is_no_button(
    http: httpx.AsyncClient, developer: Developers, world: FakeServices
) -> None:
    """If the application's settings do not allow it, the page says so."""
    developer.managed["shop"] = world.add("shop", impersonation=False)
    people = people_of(developer)
    user = people.add()

    assert "/impersonate" not in (await http.get(ORIGIN + path_of(user))).text
    page = await http.get(f"{ORIGIN}{path_of(user)}/impersonate")
    assert "does not allow impersonation" in page.text
    assert 'name="reason"' not in page.text


async def test_acts_that_need_a_fresh_sign_in_ask_before_the_form(
    http: httpx.AsyncClient, people: People
) -> None:
    """If the last sign-in is too old, the developer confirms before they type anything."""
    user = people.add()
    session = people.developer.session
    old = session.model_copy(update={"auth_time": session.auth_time - timedelta(hours=1)})
    world = people.developer.world
    key = next(key for key, one in world.sessions.items() if one.id == session.id)
    world.sessions[key] = old
    for form in FORMS:
        answer = await http.get(ORIGIN + path_of(user) + form)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login/confirm?return_to=")
    assert (await http.get(ORIGIN + path_of(user))).status_code == 200


async def test_a_locked_address_is_shown(http: httpx.AsyncClient, people: People) -> None:
    """Unlocking is offered only while the address is locked."""
    user = people.add()
    free = await http.get(ORIGIN + path_of(user))
    people.locked_until = datetime.now(UTC) + timedelta(minutes=5)
    locked = await http.get(ORIGIN + path_of(user))
    people.locked_until = datetime.now(UTC) + timedelta(days=36_500)
    for_long = await http.get(ORIGIN + path_of(user))

    assert "/unlock" not in free.text
    assert "Locked after wrong passwords" in locked.text
    assert f"{path_of(user)}/unlock" in locked.text
    assert "Locked until they choose a new password" in for_long.text


UNDONE = {
    "disable": ({}, EnableUser),
    "roles/editor/remove": ({}, AssignRole),
    "organizations/{organization.id}/remove": ({"role": "admin"}, AddMember),
}


@pytest.mark.parametrize("act", UNDONE)
async def test_an_act_can_be_undone(http: httpx.AsyncClient, people: People, act: str) -> None:
    """The notice after an act has a form with the opposite act. It names what was taken away."""
    user = people.add()
    fields, opposite = UNDONE[act]
    path = f"{path_of(user)}/{act.format(**vars(people))}"
    answer = await post(http, path, path_of(user), **fields)
    shown = await http.get(ORIGIN + answer.headers["location"])
    note = shown.text.split('class="note good"')[1].split("</form>")[0]
    form = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', note))
    action = re.search(r'action="([^"]+)"', note)
    assert action
    undone = await http.post(ORIGIN + action[1], data=form)
    first, second = people.acts

    assert undone.status_code == 303
    assert isinstance(second, opposite)
    assert second.user_id == first.user_id == user.id
    if isinstance(second, AssignRole):
        assert second.role_id == "editor"
    if isinstance(second, AddMember):
        assert (second.org_id, second.role) == (people.organization.id, "admin")


async def test_a_link_cannot_offer_an_act(http: httpx.AsyncClient, people: People) -> None:
    """What to undo is bound to the session and the user. A notice of another address offers nothing."""
    one, two = people.add(), people.add(email="two@example.com")
    answer = await post(http, f"{path_of(one)}/roles/editor/remove", path_of(one))
    query = answer.headers["location"].partition("?")[2]
    own = await http.get(f"{ORIGIN}{path_of(one)}/roles?{query}")
    foreign = await http.get(f"{ORIGIN}{path_of(two)}/roles?{query}")
    forged = await http.get(
        f"{ORIGIN}{path_of(one)}/roles?done=taken&undo=eyJyb2xlX2lkIjoiYWRtaW4ifQ"
    )
    enabled = await http.get(f"{ORIGIN}{path_of(one)}?done=disabled")

    assert ">Undo<" in own.text
    for page in (foreign, forged, enabled):
        assert page.status_code == 200
        assert ">Undo<" not in page.text


async def test_an_unknown_organization_is_told(http: httpx.AsyncClient, people: People) -> None:
    """The form comes back with what was typed."""
    user = people.add()
    page = f"{path_of(user)}/organizations"
    unknown = await post(http, page, page, organization="nope")
    foreign = await post(http, f"{page}/0197a000-0000-7000-8000-000000000000/remove", page)
    members = await post(http, page, page, organization=people.organization.id, role="member")

    assert unknown.status_code == 404
    assert "No organization has this slug or id" in unknown.text
    assert 'value="nope"' in unknown.text
    assert foreign.status_code == 404
    assert members.status_code == 303
    assert [type(act) for act in people.acts] == [AddMember]


async def test_activity_leads_to_the_event(http: httpx.AsyncClient, people: People) -> None:
    """Each event of the user has a page in the audit log."""
    user = people.add()
    page = await http.get(f"{ORIGIN}{path_of(user)}/activity")

    assert re.search(r'href="/dashboard/applications/shop/audit/[0-9a-f-]{36}"', page.text)
