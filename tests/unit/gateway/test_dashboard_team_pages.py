"""The Dashboard's pages about the developer's teams."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.dashboard_teams import TeamPages, team_pages
from tests.kit.developers import IN_DASHBOARD, ORIGIN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.markup import hidden

from common.contracts.applications import TransferApplication
from common.contracts.members import ChangeMemberRole
from common.contracts.org_invitations import InviteMember
from common.contracts.organizations import (
    CreateOrganization,
    DeleteOrganization,
    UpdateOrganization,
)
from common.ids import new_id

TEAMS = "/dashboard/teams"
TABS = ("", "/members", "/invitations", "/applications")
HOSTILE = '"><b hx-get="/x">'


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    people = developers(world, *IN_DASHBOARD, "teams:write", "apps:transfer")
    people.managed["shop"] = world.add("shop")
    second = people.teams[0].model_copy(update={"id": new_id(), "name": "Second"})
    people.teams.append(second)
    sign_in(http)
    return people


@pytest.fixture
def fakes(developer: Developers) -> TeamPages:
    return team_pages(developer)


def at(fakes: TeamPages, tab: str = "") -> str:
    return f"{TEAMS}/{fakes.people.teams[0].id}{tab}"


def become(fakes: TeamPages, **update: object) -> None:
    teams = fakes.people.teams
    teams[0] = teams[0].model_copy(update=update)


async def test_an_admin_manages_a_team(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """A name, roles and invitations. New members are developers, unless another role is chosen."""
    org_id, user_id = fakes.people.teams[0].id, fakes.member.user_id
    version = fakes.people.teams[0].version
    form = {"version": version, "name": "New", "slug": "team", "logo_url": ""}
    await post(http, at(fakes), at(fakes), **form)
    members, invitations = at(fakes, "/members"), at(fakes, "/invitations")
    await post(http, f"{members}/{user_id}/role", members, member_role="admin")
    await post(http, invitations, invitations, email="cy@acme.example", role="developer")
    page = await http.get(f"{ORIGIN}{invitations}")

    rename, *others = fakes.changes
    assert isinstance(rename, UpdateOrganization)
    assert rename.changes.name == "New"
    assert others == [
        ChangeMemberRole(org_id=org_id, user_id=user_id, role="admin"),
        InviteMember(org_id=org_id, email="cy@acme.example", role="developer"),
    ]
    assert '<option value="developer" selected>' in page.text


async def test_nobody_removes_themselves_by_mistake(
    http: httpx.AsyncClient, fakes: TeamPages
) -> None:
    """The developer's own row has no form."""
    page = await http.get(f"{ORIGIN}{at(fakes, '/members')}")

    assert f"/members/{fakes.member.user_id}/remove" in page.text
    assert f"/members/{fakes.people.session.user_id}/" not in page.text


async def test_a_team_is_created(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """A name is enough. A refused name is kept."""
    wrong = await post(http, TEAMS, TEAMS, name="see www.example.com")
    answer = await post(http, TEAMS, TEAMS, name="Harbour")

    assert wrong.status_code == 422
    assert 'value="see www.example.com"' in wrong.text
    assert answer.headers["location"] == f"{at(fakes)}?done=team"
    assert fakes.changes == [CreateOrganization(name="Harbour")]


async def test_a_form_that_is_sent_twice_creates_one_team(
    http: httpx.AsyncClient, fakes: TeamPages
) -> None:
    """The second answer leads to the team that the first one created."""
    form = await http.get(f"{ORIGIN}{TEAMS}")
    fields = {name: hidden(form.text, name) for name in ("csrf", "request_id")}
    sent = [
        await http.post(f"{ORIGIN}{TEAMS}", data={**fields, "name": "Harbour"}) for _ in range(2)
    ]

    assert [answer.headers["location"] for answer in sent] == [
        f"{at(fakes)}?done=team",
        f"{at(fakes)}?done=exists",
    ]
    assert {call.request_id for call in fakes.changes} == {fields["request_id"]}


async def test_an_application_is_transferred(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """To another team in which the developer may manage applications. The path of a team that does not
    own the application is no page."""
    page = at(fakes, "/applications")
    other = fakes.people.teams[1]
    answer = await post(http, f"{page}/shop/transfer", page, owner_org_id=other.id)
    below = f"{TEAMS}/{other.id}/applications/shop/transfer"
    elsewhere = await post(http, below, page, owner_org_id=fakes.people.teams[0].id)

    assert elsewhere.status_code == 404
    assert answer.headers["location"] == f"{page}?done=transferred"
    assert fakes.changes == [TransferApplication(slug="shop", owner_org_id=other.id)]


async def test_a_team_with_applications_stays(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """The page says what to do first. A personal team has no such form."""
    org_id = fakes.people.teams[0].id
    refused = await post(http, at(fakes, "/delete"), at(fakes), typed="Harbour Studio")
    fakes.people.managed.clear()
    answer = await post(http, at(fakes, "/delete"), at(fakes), typed="Harbour Studio")
    become(fakes, is_personal=True)
    personal = await http.get(f"{ORIGIN}{at(fakes)}")

    assert refused.status_code == 422
    assert "Transfer or delete the team" in refused.text
    assert answer.headers["location"] == f"{TEAMS}?done=deleted"
    assert fakes.changes == [DeleteOrganization(org_id=org_id)]
    assert 'name="typed"' not in personal.text


async def test_a_new_member_comes_to_the_team(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """An accepted invitation leads to the applications of the team, which greets its new member."""
    teams = at(fakes)
    token = (await http.get(f"{ORIGIN}{teams}")).text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "token": "x" * 43}
    answer = await http.post(f"{ORIGIN}/accept-org-invite", data=form)
    page = await http.get(f"{ORIGIN}{answer.headers['location']}")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{teams}/applications?done=joined"
    assert "You&#39;re now a member of this team." in page.text


async def test_a_member_changes_nothing(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """Members who are no admins see the team without forms, and a forged form finds nothing."""
    token = (await http.get(f"{ORIGIN}{at(fakes)}")).text.split('name="csrf" value="')[1]
    version = fakes.people.teams[0].version
    forged = {"csrf": token.split('"')[0], "version": version, "name": "X", "slug": "team"}
    become(fakes, role="member")
    for tab in ("", "/members", "/applications"):
        page = await http.get(f"{ORIGIN}{at(fakes, tab)}")
        assert page.status_code == 200
        assert 'method="post"' not in page.text
        assert "/invitations" not in page.text
    assert (await http.get(f"{ORIGIN}{at(fakes, '/invitations')}")).status_code == 404

    fields = {"member_role": "admin", "email": "cy@acme.example", "role": "admin"}
    acts = ("", f"/members/{fakes.member.user_id}/role", "/invitations")
    for act in acts:
        answer = await http.post(f"{ORIGIN}{at(fakes, act)}", data=forged | fields)
        assert answer.status_code == 404, act
    assert fakes.changes == []


async def test_other_teams_do_not_exist(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """Ids of other teams and texts that are no id are pages that were not found."""
    for org_id in (new_id(), "x", "%00"):
        for tab in TABS:
            page = await http.get(f"{ORIGIN}{TEAMS}/{org_id}{tab}")
            assert page.status_code == 404, tab


async def test_names_are_text(http: httpx.AsyncClient, fakes: TeamPages) -> None:
    """Markup in the name of a team is text on every page."""
    become(fakes, name=HOSTILE)
    for path in (TEAMS, *(at(fakes, tab) for tab in TABS)):
        page = await http.get(f"{ORIGIN}{path}")
        assert page.status_code == 200
        assert "<b hx-get" not in page.text
        assert "&lt;b hx-get=" in page.text


async def test_a_reader_creates_no_team(http: httpx.AsyncClient, world: FakeServices) -> None:
    """Without `teams:write` the list has no form, and a forged form finds nothing."""
    fakes = team_pages(developers(world, "teams:read", "apps:create"))
    sign_in(http)
    page = await http.get(f"{ORIGIN}{TEAMS}")
    answer = await post(http, TEAMS, "/dashboard/new", name="Harbour")

    assert page.status_code == 200
    assert 'method="post"' not in page.text
    assert (answer.status_code, fakes.changes) == (404, [])
