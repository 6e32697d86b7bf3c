"""The account pages beyond profile and password: connected apps and organizations."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices
from tests.kit.people import INVITATION, MATE, ORGANIZATION, People
from tests.unit.gateway.test_pages import post, signed_in

from common.contracts.consents import RevokeMyGrant
from common.contracts.me import UpdateMe
from common.contracts.members import RemoveMember
from common.contracts.tenants import Tenant

PAGE = f"/account/organization?org_id={ORGANIZATION}"


@pytest.fixture
async def people(world: FakeServices, app: Tenant, http: httpx.AsyncClient) -> People:
    people = People(world)
    await signed_in(http, world, app)
    return people


def last(people: People, kind: type[Any]) -> Any:
    return next(call for call in reversed(people.world.bus.calls) if isinstance(call, kind))


async def test_consent_is_taken_back(http: httpx.AsyncClient, people: People) -> None:
    """The page lists each app with its permissions. A removed one is gone, and a second press says
    so."""
    before = (await http.get("/account/apps")).text
    removed = await post(http, "/account/apps", client_id="notes")
    people.apps["other"] = "Other"
    again = await post(http, "/account/apps", client_id="notes")

    assert all(text in before for text in ("Acme Notes", "See your e-mail address", "notes:write"))
    assert removed.headers["location"] == "/account/apps?done=withdrawn"
    assert last(people, RevokeMyGrant).client_id == "notes"
    assert (again.status_code, "This app no longer has access." in again.text) == (422, True)


async def test_the_active_organization(http: httpx.AsyncClient, people: People) -> None:
    """Activating and deactivating start a new session cookie, since the rights change."""
    active = await post(http, "/account/organizations", org_id=ORGANIZATION)
    page = (await http.get("/account/organizations")).text
    inactive = await post(http, "/account/organizations", org_id="")

    assert active.headers["location"] == "/account/organizations?done=active"
    assert "aero2_session=tok" in active.headers["set-cookie"]
    assert "Deactivate" in page
    assert inactive.headers["location"] == "/account/organizations?done=inactive"
    assert "Deactivate" not in (await http.get("/account/organizations")).text


async def test_leaving_an_organization(http: httpx.AsyncClient, people: People) -> None:
    """The only admin reads why they cannot leave. Another member leaves, and the call names their
    own id."""
    refused = await post(http, "/account/organization/leave", PAGE, org_id=ORGANIZATION)
    request = last(people, RemoveMember)

    assert (refused.status_code, "needs an admin" in refused.text) == (422, True)
    assert request.user_id not in ("", MATE)


async def test_members_are_managed_by_admins(http: httpx.AsyncClient, people: People) -> None:
    """Admins change roles, remove members and invite. Other members only read the list."""
    org = {"org_id": ORGANIZATION}
    role = await post(http, "/account/organization/role", PAGE, **org, user_id=MATE, role="admin")
    removed = await post(http, "/account/organization/remove", PAGE, **org, user_id=MATE)
    invited = await post(
        http, "/account/organization/invite", PAGE, **org, email="new@example.com", role="member"
    )
    known = await post(
        http, "/account/organization/invite", PAGE, **org, email="ada@example.com", role="member"
    )
    sent = await post(http, "/account/organization/resend", PAGE, **org, invitation_id=INVITATION)
    revoked = await post(
        http, "/account/organization/revoke", PAGE, **org, invitation_id=INVITATION
    )
    people.org_role = "member"
    people.world.bus.calls.clear()
    page = (await http.get(PAGE)).text

    answers = [role, removed, invited, sent, revoked]
    assert [re.sub(r".*done=", "", one.headers["location"]) for one in answers] == [
        "role",
        "removed",
        "invited",
        "invited",
        "uninvited",
    ]
    assert (known.status_code, 'value="ada@example.com"' in known.text) == (422, True)
    assert "bob@example.com" in page
    assert not re.search(r"organization/(role|remove|invite|resend|revoke)", page)
    names = {type(call).__name__ for call in people.world.bus.calls}
    assert "ListOrganizationInvitations" not in names


@pytest.mark.parametrize("org_id", ["", "nope", MATE])
async def test_an_organization_of_others(
    http: httpx.AsyncClient, people: People, org_id: str
) -> None:
    """The page of an unknown organization redirects to the list."""
    answer = await http.get(f"/account/organization?org_id={org_id}")

    assert answer.headers["location"] == "/account/organizations"


async def test_names_and_picture(http: httpx.AsyncClient, people: People) -> None:
    """A field of the form is saved, an empty one is cleared, and a field without an input stays."""
    fields = {"name": "Ada", "given_name": "Augusta", "nickname": "", "picture": "nope"}
    refused = await post(http, "/account", **fields)
    await post(http, "/account", **{**fields, "picture": "https://pics.example/ada.png"})
    changes = last(people, UpdateMe).changes.model_dump(exclude_unset=True)

    assert (refused.status_code, 'id="picture-error"' in refused.text) == (422, True)
    assert 'value="Augusta"' in refused.text
    assert changes == {
        "name": "Ada",
        "given_name": "Augusta",
        "nickname": None,
        "picture": "https://pics.example/ada.png",
    }


async def test_a_session_shows_its_network_address(http: httpx.AsyncClient, people: People) -> None:
    """A session is shown with its network address beside the device."""
    assert "203.0.113.7" in (await http.get("/account/sessions")).text
