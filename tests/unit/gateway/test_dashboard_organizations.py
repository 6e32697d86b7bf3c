"""The Dashboard's pages about organizations."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from tests.kit.dashboard_organizations import OrganizationPages, organization_pages
from tests.kit.developers import NOW, ORIGIN, Developers, developers, post, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.markup import hidden

from common.contracts.identity_providers import IdentityProvider
from common.contracts.members import AddMember, ChangeMemberRole, RemoveMember
from common.contracts.org_domains import AddOrganizationDomain, UpdateOrganizationDomain
from common.contracts.org_invitations import (
    InviteMember,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import (
    CreateOrganization,
    DeleteOrganization,
    ListOrganizations,
    UpdateOrganization,
)
from common.ids import new_id

HTMX = {"hx-request": "true", "hx-request-type": "partial"}
LIST = "/dashboard/applications/shop/organizations"
HOSTILE = '"><b hx-get="/x">Acme</b>'
PERMISSIONS = ["organizations:read", "organizations:write", "users:read", "idps:read"]


@pytest.fixture
def developer(http: httpx.AsyncClient, world: FakeServices) -> Developers:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = list(PERMISSIONS)
    sign_in(http)
    return people


@pytest.fixture
def fakes(developer: Developers) -> OrganizationPages:
    return organization_pages(developer)


def at(fakes: OrganizationPages, tab: str = "") -> str:
    return f"{LIST}/{fakes.organization.id}{tab}"


def tabs(fakes: OrganizationPages) -> list[str]:
    names = ("", "/members", "/invitations", "/domains", "/sso")
    return [LIST, *(at(fakes, name) for name in names)]


def version(fakes: OrganizationPages) -> str:
    return fakes.organization.version


async def test_a_search_keeps_its_words_on_the_next_page(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """The link to the next page carries the search. htmx gets the list alone."""
    part = await http.get(f"{ORIGIN}{LIST}?search=Ac", headers=HTMX)

    assert "<html" not in part.text
    assert "organizations?search=Ac&amp;cursor=more" in part.text
    assert fakes.people.world.bus.calls[-1] == ListOrganizations(all=True, search="Ac", limit=50)


async def test_an_empty_search_is_no_search(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """Blank or very long words are no error."""
    for words in ("", "%20%20", "x" * 500):
        page = await http.get(f"{ORIGIN}{LIST}?search={words}")
        assert page.status_code == 200
    assert "Nothing matches" in page.text


async def test_names_are_text(http: httpx.AsyncClient, developer: Developers) -> None:
    """A name with markup is text on every page, inside `bdi`."""
    fakes = organization_pages(developer, HOSTILE)
    for path in tabs(fakes):
        page = await http.get(f"{ORIGIN}{path}")
        assert page.status_code == 200
        assert "<b hx-get" not in page.text
        assert "<bdi>&#34;&gt;&lt;b hx-get=" in page.text


async def test_the_first_admin_is_found_by_address(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """A new organization can name its admin by their address."""
    page = f"{LIST}/new"
    answer = await post(http, page, page, name="Acme", slug="", admin="ada@acme.example")

    assert answer.status_code == 303
    assert fakes.changes == [CreateOrganization(name="Acme", admin_user_id=fakes.user.id)]


async def test_a_form_that_is_sent_twice_creates_one_organization(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """After a double click or a reload, the developer is on the page of the first one. An error keeps the
    id of the request."""
    page = f"{ORIGIN}{LIST}/new"
    form = await http.get(page)
    fields = {name: hidden(form.text, name) for name in ("csrf", "request_id")}
    refused = await http.post(page, data={**fields, "name": "see www.example.com"})
    first, second = [await http.post(page, data={**fields, "name": "Acme"}) for _ in range(2)]
    notice = await http.get(f"{ORIGIN}{second.headers['location']}")
    call = CreateOrganization(name="Acme", request_id=fields["request_id"])

    assert hidden(refused.text, "request_id") == fields["request_id"]
    assert hidden((await http.get(page)).text, "request_id") != fields["request_id"]
    assert first.headers["location"] == f"{at(fakes)}?done=created"
    assert second.headers["location"] == f"{at(fakes)}?done=exists"
    assert "was already created" in notice.text
    assert fakes.changes == [call, call]


async def test_an_unknown_admin_creates_nothing(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """The form comes back with what was typed."""
    page = f"{LIST}/new"
    answer = await post(http, page, page, name="Acme", admin="nobody@acme.example")

    assert answer.status_code == 422
    assert 'value="nobody@acme.example"' in answer.text
    assert 'id="admin-error"' in answer.text
    assert fakes.changes == []


async def test_the_profile_is_saved(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """An empty logo removes the logo."""
    form = {"version": version(fakes), "name": "Acme Ltd", "slug": "acme", "logo_url": ""}
    answer = await post(http, at(fakes), at(fakes), **form)

    assert answer.headers["location"] == f"{at(fakes)}?done=saved"
    [change] = fakes.changes
    assert isinstance(change, UpdateOrganization)
    changes = change.changes.model_dump(exclude_unset=True)
    assert changes == {"name": "Acme Ltd", "slug": "acme", "logo_url": None}


async def test_the_second_editor_is_told(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """A form that shows an older version saves nothing. It shows both values, and the same form
    posted once more saves."""
    form = {"version": version(fakes), "name": "Mine", "slug": "acme", "logo_url": ""}
    later = NOW + timedelta(minutes=1)
    update = {"name": "Theirs", "updated_at": later}
    fakes.organization = fakes.organization.model_copy(update=update)
    answer = await post(http, at(fakes), at(fakes), **form)
    saved = fakes.changes[:]
    theirs = version(fakes)
    again = await post(http, at(fakes), at(fakes), **form | {"version": theirs})

    assert answer.status_code == 412
    assert 'value="Mine"' in answer.text
    assert 'Saved meanwhile: <strong class="as-typed"><bdi>Theirs' in answer.text
    assert f'name="version" value="{theirs}"' in answer.text
    assert (saved, again.status_code) == ([], 303)


@pytest.mark.parametrize(
    "text", ["[]", "{", "1", '{"a": NaN}', "[" * 5000, '{"a": 1, "a": 2}', '{"n": 1e999}']
)
async def test_metadata_is_an_object(
    http: httpx.AsyncClient, fakes: OrganizationPages, text: str
) -> None:
    """Anything else is an error beside the field, with what was typed."""
    form = {"version": version(fakes), "public_metadata": text, "private_metadata": "{}"}
    answer = await post(http, at(fakes, "/metadata"), at(fakes), **form)

    assert answer.status_code == 422
    assert 'id="public_metadata-error"' in answer.text
    assert fakes.changes == []


async def test_metadata_is_saved(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """Both kinds are replaced."""
    form = {"version": version(fakes), "public_metadata": '{"plan": "pro"}', "private_metadata": ""}
    answer = await post(http, at(fakes, "/metadata"), at(fakes), **form)

    assert answer.status_code == 303
    assert fakes.organization.public_metadata == {"plan": "pro"}


async def test_a_name_with_two_spaces_can_be_typed(
    http: httpx.AsyncClient, developer: Developers
) -> None:
    """The server compares the typed name. Two spaces and one are alike, other names are not."""
    fakes = organization_pages(developer, "Acme  Ltd")
    wrong = await post(http, at(fakes, "/delete"), at(fakes), typed="acme ltd")
    empty = await post(http, at(fakes, "/delete"), at(fakes), typed="")
    assert (wrong.status_code, empty.status_code, fakes.changes) == (422, 422, [])
    assert 'id="typed-error"' in wrong.text

    for typed in ("Acme  Ltd", "Acme Ltd"):
        answer = await post(http, at(fakes, "/delete"), at(fakes), typed=typed)
        assert answer.headers["location"] == f"{LIST}?done=deleted"
    assert fakes.changes == [DeleteOrganization(org_id=fakes.organization.id)] * 2


async def test_members(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """Members are added by address, get another role, and are removed."""
    page, org_id = at(fakes, "/members"), fakes.organization.id
    user_id = fakes.members[0].user_id
    await post(http, page, page, user="ada@acme.example", role="member")
    await post(http, f"{page}/{user_id}/role", page, member_role="member")
    await post(http, f"{page}/{user_id}/remove", page, member_role="admin")

    assert fakes.changes == [
        AddMember(org_id=org_id, user_id=fakes.user.id, role="member"),
        ChangeMemberRole(org_id=org_id, user_id=user_id, role="member"),
        RemoveMember(org_id=org_id, user_id=user_id),
    ]


async def test_an_unknown_member_is_kept_in_the_form(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """No user has this address or id."""
    page = at(fakes, "/members")
    for user in ("nobody@acme.example", "x", new_id()):
        answer = await post(http, page, page, user=user, role="member")
        assert answer.status_code == 422
        assert f'value="{user}"' in answer.text
    assert fakes.changes == []


async def test_invitations(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """People are invited. Their invitations are sent again and revoked."""
    page, org_id, one = at(fakes, "/invitations"), fakes.organization.id, fakes.invitations[0].id
    await post(http, page, page, email="cy@acme.example", role="admin")
    await post(http, f"{page}/{one}/resend", page)
    await post(http, f"{page}/{one}/revoke", page)
    wrong = await post(http, page, page, email="no address", role="admin")

    assert fakes.changes == [
        InviteMember(org_id=org_id, email="cy@acme.example", role="admin"),
        ResendOrganizationInvitation(org_id=org_id, invitation_id=one),
        RevokeOrganizationInvitation(org_id=org_id, invitation_id=one),
    ]
    assert wrong.status_code == 422
    assert 'value="no address"' in wrong.text


async def test_domains(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """A domain shows its record. A check that fails says so, and an old proof that is gone, too."""
    page, org_id, one = at(fakes, "/domains"), fakes.organization.id, fakes.domains[0]
    shown = await http.get(f"{ORIGIN}{page}")
    checked = await post(http, f"{page}/{one.id}/verify", page)
    fakes.changes.clear()
    await post(http, page, page, domain="other.example", role="member")
    await post(http, f"{page}/{one.id}", page, role="admin", auto_join="on")
    update = {"verified_at": NOW, "missing_since": NOW}
    fakes.domains[0] = one.model_copy(update=update)
    missing = await http.get(f"{ORIGIN}{page}")

    assert one.record_name in shown.text
    assert one.record_value in shown.text
    assert checked.status_code == 422
    assert "The TXT record was not found" in checked.text
    added, changed = fakes.changes
    assert added == AddOrganizationDomain(
        org_id=org_id, domain="other.example", auto_join=False, role="member"
    )
    assert isinstance(changed, UpdateOrganizationDomain)
    assert (changed.changes.auto_join, changed.changes.role) == (True, "admin")
    assert "The TXT record is missing since" in missing.text


async def test_single_sign_on_needs_a_provider(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """Without a provider of its own, no member of the organization could sign in any more."""
    page = at(fakes, "/sso")
    form = {"version": version(fakes), "sso_required": "on"}
    refused = await post(http, page, page, **form)
    fakes.providers.append(_provider(new_id()))
    other = await post(http, page, page, **form)
    assert (refused.status_code, other.status_code, fakes.changes) == (422, 422, [])

    fakes.providers.append(_provider(fakes.organization.id))
    answer = await post(http, page, page, **form)
    shown = await http.get(f"{ORIGIN}{page}")

    assert answer.status_code == 303
    assert fakes.organization.sso_required
    assert "Acme SSO" in shown.text


def _provider(org_id: str) -> IdentityProvider:
    return IdentityProvider(
        id=new_id(),
        name="acme",
        display_name="Acme SSO",
        org_id=org_id,
        client_id="c",
        created_at=NOW,
        updated_at=NOW,
    )


async def test_a_reader_changes_nothing(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """Without `organizations:write`, no page has a form that posts, and a forged form finds nothing."""
    token = (await http.get(f"{ORIGIN}{at(fakes)}")).text.split('name="csrf" value="')[1]
    forged = {"csrf": token.split('"')[0], "version": version(fakes), "typed": "Acme"}
    fakes.people.permissions = ["organizations:read", "users:read", "idps:read"]
    for path in tabs(fakes):
        page = await http.get(f"{ORIGIN}{path}")
        assert page.status_code == 200
        assert '<button class="primary"' not in page.text
    assert (await http.get(f"{ORIGIN}{LIST}/new")).status_code == 404

    user, one = fakes.members[0].user_id, fakes.domains[0].id
    invitation = fakes.invitations[0].id
    acts = [
        "",
        "/metadata",
        "/delete",
        "/members",
        f"/members/{user}/role",
        f"/members/{user}/remove",
    ]
    acts += [
        "/domains",
        f"/domains/{one}",
        f"/domains/{one}/verify",
        f"/domains/{one}/remove",
        "/sso",
    ]
    acts += [
        "/invitations",
        f"/invitations/{invitation}/resend",
        f"/invitations/{invitation}/revoke",
    ]
    for path in [f"{LIST}/new", *(at(fakes, act) for act in acts)]:
        answer = await http.post(f"{ORIGIN}{path}", data=forged)
        assert answer.status_code == 404, path
    assert fakes.changes == []


async def test_a_stranger_sees_nothing(http: httpx.AsyncClient, fakes: OrganizationPages) -> None:
    """Without `organizations:read`, the pages do not exist, and the sidebar does not list them."""
    fakes.people.permissions = ["audit:read"]
    for path in tabs(fakes):
        assert (await http.get(f"{ORIGIN}{path}")).status_code == 404
    overview = await http.get(f"{ORIGIN}/dashboard/applications/shop")

    assert 'shop/organizations"' not in overview.text


@pytest.mark.parametrize("org_id", ["x", "%00", "0196f0a0-0000-7000-8000-000000000001"])
async def test_foreign_organizations_do_not_exist(
    http: httpx.AsyncClient, fakes: OrganizationPages, org_id: str
) -> None:
    """Ids of other applications and texts that are no id are pages that were not found."""
    for tab in ("", "/members", "/invitations", "/domains", "/sso"):
        page = await http.get(f"{ORIGIN}{LIST}/{org_id}{tab}")
        assert page.status_code == 404, tab


async def test_foreign_things_below_an_organization_do_not_exist(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """An id of another organization's member, invitation or domain changes nothing."""
    for tab, act in (("members", "role"), ("invitations", "revoke"), ("domains", "remove")):
        page = at(fakes, f"/{tab}")
        answer = await post(http, f"{page}/{new_id()}/{act}", page, member_role="member")
        assert answer.status_code == 404, tab
    assert fakes.changes == []


async def test_the_path_names_the_organization(
    http: httpx.AsyncClient, fakes: OrganizationPages
) -> None:
    """A body that names another organization changes nothing about that."""
    page = at(fakes, "/members")
    user_id = fakes.members[0].user_id
    form = {"member_role": "member", "org_id": new_id(), "user_id": new_id()}
    await post(http, f"{page}/{user_id}/role", page, **form)

    assert fakes.changes == [
        ChangeMemberRole(org_id=fakes.organization.id, user_id=user_id, role="member")
    ]


async def test_deleting_an_organization_needs_a_fresh_sign_in(
    http: httpx.AsyncClient, fakes: OrganizationPages, world: FakeServices
) -> None:
    """A stolen session that is old ends no memberships."""
    world.let_sign_ins_age()
    answer = await post(http, f"{at(fakes)}/delete", at(fakes), typed=fakes.organization.name)

    assert answer.headers["location"].startswith("/login/confirm?return_to=")
    assert fakes.changes == []
    assert DeleteOrganization.fresh
