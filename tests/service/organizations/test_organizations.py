"""Organizations: who creates, sees, changes and deletes them."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller
from common.contracts.organizations import (
    CreateOrganization,
    DeleteOrganization,
    EnsurePersonalTeam,
    GetOrganization,
    ListOrganizations,
    ListUserOrganizations,
    NoOrganizationsHere,
    Organization,
    OrganizationChanges,
    OrganizationExists,
    OrganizationNotFound,
    OrgSlugTaken,
    PersonalTeam,
    SwitchOrganization,
    TeamOwnsApplications,
    UpdateOrganization,
)
from common.contracts.users import UserNotFound
from common.cursors import BadCursor
from common.ids import new_id
from common.problems import Forbidden, Invalid, Unauthenticated


async def test_the_creator_is_the_admin(world: World) -> None:
    """The creator is the first admin. The slug is made from the name and unique in the application."""
    ada = await world.user_caller()
    one = await world.organization(ada, "Acme & Co")
    two = await world.organization(ada, "Acme & Co")

    assert (one.slug, one.role) == ("acme-co", "admin")
    assert two.slug.startswith("acme-co-")
    assert (await world.rights(ada, org_id=one.id)).org_role == "admin"
    assert await world.event_types() == ["org_created", "member_added"] * 2
    assert (world.app_id, "rights", ada.id) in world.invalidation.published


async def test_a_request_that_is_sent_twice_creates_one_organization(world: World) -> None:
    """A double click, a reload or a lost answer makes no second one, also at the same time and with a
    slug. The id of the request belongs to its caller and their application."""
    ada, bob = await world.user_caller(), await world.user_caller()
    eve = await world.user_caller(app_id=world.other_app_id)
    for slug in (None, "acme-two"):
        request = CreateOrganization(name="Acme", slug=slug, request_id=new_id())
        results = await asyncio.gather(
            *(world.call(request, ada) for _ in range(3)), return_exceptions=True
        )
        created = [result for result in results if isinstance(result, Organization)]
        repeats = [result for result in results if isinstance(result, OrganizationExists)]

        assert (len(created), len(repeats)) == (1, 2)
        assert {repeat.extra["org_id"] for repeat in repeats} == {created[0].id}
    again = CreateOrganization(name="Acme", request_id=request.request_id)
    of_others = [
        await world.call(again, bob),
        await world.call(again, eve, world.other_app_id),
        await world.call(again, ADMIN),
    ]
    assert len({one.id for one in of_others} | {created[0].id}) == 4
    assert (await world.event_types()).count("org_created") == 4


async def test_slug_is_unique_per_application(world: World) -> None:
    """Two applications may use the same slug, but one application only once."""
    ada = await world.user_caller()
    bob = await world.user_caller(app_id=world.other_app_id)
    await world.call(CreateOrganization(name="Acme", slug="acme"), ada)
    await world.call(CreateOrganization(name="Acme", slug="acme"), bob, world.other_app_id)
    other = await world.organization(ada, "Other")

    with pytest.raises(OrgSlugTaken):
        await world.call(CreateOrganization(name="Acme", slug="acme"), ada)
    with pytest.raises(OrgSlugTaken):
        await world.call(
            UpdateOrganization(org_id=other.id, changes=OrganizationChanges(slug="acme")), ada
        )


@pytest.mark.parametrize("slug", ["ab", "Acme", "a--b", "-ab", "ab-", "1ab", "a_b", "a" * 64])
async def test_bad_slugs_are_refused(world: World, slug: str) -> None:
    """A slug has 3 to 63 of a–z, 0–9 and single hyphens. It begins with a letter and does not end
    with a hyphen."""
    with pytest.raises((Invalid, ValueError)):
        await world.call(CreateOrganization(name="x", slug=slug), ADMIN)


async def test_strangers_do_not_find_it(world: World) -> None:
    """Users outside the organization and other applications do not find it."""
    ada, eve = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    foreign = await world.user_caller(app_id=world.other_app_id)
    for request in (
        GetOrganization(org_id=org.id),
        UpdateOrganization(org_id=org.id, changes=OrganizationChanges(name="x")),
        DeleteOrganization(org_id=org.id),
    ):
        with pytest.raises(OrganizationNotFound):
            await world.call(request, eve)
        with pytest.raises(OrganizationNotFound):
            await world.call(request, foreign, world.other_app_id)
        with pytest.raises(OrganizationNotFound):
            await world.call(request, ADMIN, world.other_app_id)
        with pytest.raises(Unauthenticated):
            await world.call(request, Caller())


async def test_members_see_and_admins_change(world: World) -> None:
    """A member reads it and cannot change it. Private metadata are for the application only."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.join(org.id, bob)
    changes = OrganizationChanges(name="New", public_metadata={"plan": "x"})

    assert (await world.call(GetOrganization(org_id=org.id), bob)).role == "member"
    for request in (
        UpdateOrganization(org_id=org.id, changes=changes),
        DeleteOrganization(org_id=org.id),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, bob)
    changed = await world.call(UpdateOrganization(org_id=org.id, changes=changes), ada)
    assert (changed.name, changed.public_metadata, changed.slug) == ("New", {"plan": "x"}, org.slug)
    private = OrganizationChanges(private_metadata={"crm": 7})
    with pytest.raises(Forbidden):
        await world.call(UpdateOrganization(org_id=org.id, changes=private), ada)
    await world.call(UpdateOrganization(org_id=org.id, changes=private), ADMIN)
    assert (await world.call(GetOrganization(org_id=org.id), ada)).private_metadata is None
    seen = await world.call(GetOrganization(org_id=org.id), ADMIN)
    assert (seen.private_metadata, seen.role) == ({"crm": 7}, None)


async def test_metadata_has_a_limit(world: World) -> None:
    """More than 16 KiB of metadata are refused."""
    with pytest.raises((Invalid, ValueError)):
        await world.call(CreateOrganization(name="x", public_metadata={"x": "y" * 17_000}), ADMIN)


async def test_lists_show_ones_own_or_all(world: World) -> None:
    """Users list their own organizations. With organizations:read they list all, page by page."""
    ada, bob = await world.user_caller(), await world.user_caller()
    for n in range(3):
        await world.organization(ada, f"Ada {n}")
    await world.organization(bob, "Bob")

    first = await world.call(ListOrganizations(limit=2), ada)
    rest = await world.call(ListOrganizations(limit=2, cursor=first.next), ada)
    assert [o.name for o in (*first.organizations, *rest.organizations)] == [
        "Ada 0",
        "Ada 1",
        "Ada 2",
    ]
    assert rest.next is None
    with pytest.raises(Forbidden):
        await world.call(ListOrganizations(all=True), ada)
    everything = await world.call(ListOrganizations(), ADMIN)
    assert [o.name for o in everything.organizations] == ["Ada 0", "Ada 1", "Ada 2", "Bob"]
    found = await world.call(ListOrganizations(search="BO"), ADMIN)
    assert [o.name for o in found.organizations] == ["Bob"]


async def test_search_finds_the_beginning_of_any_word(world: World) -> None:
    """The search ignores case and accents. It finds each organization once, over all pages, in both
    lists. Each word must be the beginning of a word of the name or slug."""
    ada = await world.user_caller()
    names = ("Zoë Bakery", "Bäckerei", "Backofen", "Zoo", "A backdrop", "100%")
    for name in names:
        await world.organization(ada, name)
    await world.call(CreateOrganization(name="Quite other", slug="back-office"), ADMIN)

    async def found(search: str, limit: int = 50, who: Caller = ADMIN) -> list[str]:
        listed, cursor = [], None
        while True:
            page = await world.call(
                ListOrganizations(search=search, limit=limit, cursor=cursor), who
            )
            listed += [o.name for o in page.organizations]
            cursor = page.next
            if cursor is None:
                return listed

    for limit in (1, 2, 50):
        assert await found("BÁCK", limit) == ["Quite other", "A backdrop", "Bäckerei", "Backofen"]
        assert await found("b a", limit) == ["A backdrop"]
        assert sorted(await found("b", limit)) == sorted({*names, "Quite other"} - {"Zoo", "100%"})
    assert sorted(await found(" zoe ", who=ada)) == ["Zoë Bakery"]
    assert sorted(await found("back", who=ada)) == ["A backdrop", "Backofen", "Bäckerei"]
    for who in (ada, ADMIN):
        assert await found("bakery, zo", who=who) == ["Zoë Bakery"]
        assert await found("zoe-bak", who=who) == ["Zoë Bakery"]
        assert await found("bakery zoo", who=who) == await found("akery", who=who) == []
        assert await found("; -", who=who) == await found("%", who=who) == []
    assert await found("off oth") == ["Quite other"]
    changes = OrganizationChanges(name="Chocolaterie", slug="zoe")
    (bakery,) = (await world.call(ListOrganizations(search="bakery"), ADMIN)).organizations
    await world.call(UpdateOrganization(org_id=bakery.id, changes=changes), ADMIN)
    assert await found("bakery") == []
    assert await found("choco") == await found("zoe") == ["Chocolaterie"]
    await world.call(DeleteOrganization(org_id=bakery.id), ADMIN)
    assert await found("choco") == []
    assert await found("%") == await found("_") == await found("\uffff") == []
    assert await found("100%") == ["100%"]
    assert len(await found(" ")) == len(await found("", who=ada)) + 1 == len(names)


async def test_application_may_keep_creation_to_itself(world: World) -> None:
    """If organizations_by_users is off, creating one needs organizations:write."""
    world.app_id = await world.application(organizations_by_users=False)
    ada = await world.user_caller()
    with pytest.raises(NoOrganizationsHere):
        await world.organization(ada)
    made = await world.call(CreateOrganization(name="Acme", admin_user_id=ada.id), ADMIN)

    assert (await world.rights(ada, org_id=made.id)).org_role == "admin"


async def test_user_makes_nobody_else_admin(world: World) -> None:
    """Without organizations:write a user can neither name another admin nor write private metadata."""
    ada, bob = await world.user_caller(), await world.user_caller()
    for new in (
        CreateOrganization(name="x", admin_user_id=bob.id),
        CreateOrganization(name="x", private_metadata={"a": 1}),
    ):
        with pytest.raises(Forbidden):
            await world.call(new, ada)


async def test_switching_gives_a_new_session(world: World) -> None:
    """Only a member can switch. Identity is called once, and the log has an event."""
    ada, eve = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    started = await world.call(SwitchOrganization(org_id=org.id), ada)

    assert started.token == "fresh"
    [(app_id, asked)] = world.stand_ins.identity.activations
    assert (app_id, asked.session_id, asked.org_id) == (world.app_id, ada.session_id, org.id)
    assert (await world.event_types())[-1] == "org_activated"
    with pytest.raises(OrganizationNotFound):
        await world.call(SwitchOrganization(org_id=org.id), eve)
    assert len(world.stand_ins.identity.activations) == 1


async def test_personal_team_is_made_once(world: World) -> None:
    """A developer gets one personal team, however many simultaneous calls ask for it."""
    dev = await world.dashboard_user()
    request = EnsurePersonalTeam(user_id=dev.id or "", name="Ada Lovelace")
    made = await asyncio.gather(
        *(world.call(request, SYSTEM_CALLER, world.dashboard) for _ in range(6))
    )

    assert len({team.id for team in made}) == 1
    assert made[0].is_personal
    assert made[0].name == "Ada Lovelace's team"
    assert (await world.rights(dev, world.dashboard)).teams == [made[0].id]


async def test_personal_team_is_not_named_by_a_link(world: World) -> None:
    """A developer whose name contains a link can sign in. The team gets a plain name."""
    dev = await world.dashboard_user()
    request = EnsurePersonalTeam(user_id=dev.id or "", name="See evil.example")

    assert (await world.call(request, SYSTEM_CALLER, world.dashboard)).name == "Personal team"


async def test_personal_team_stays(world: World) -> None:
    """A personal team cannot be deleted."""
    dev = await world.dashboard_user()
    team = await world.call(
        EnsurePersonalTeam(user_id=dev.id or ""), SYSTEM_CALLER, world.dashboard
    )
    with pytest.raises(PersonalTeam):
        await world.call(DeleteOrganization(org_id=team.id), dev, world.dashboard)


async def test_team_that_owns_applications_stays(world: World) -> None:
    """A team that owns applications cannot be deleted."""
    dev = await world.dashboard_user()
    team = await world.call(CreateOrganization(name="Owners"), dev, world.dashboard)
    await world.owner.execute(
        "UPDATE applications SET owner_org_id = $1 WHERE id = $2", team.id, world.app_id
    )
    with pytest.raises(TeamOwnsApplications):
        await world.call(DeleteOrganization(org_id=team.id), dev, world.dashboard)
    await world.owner.execute(
        "UPDATE applications SET owner_org_id = NULL WHERE id = $1", world.app_id
    )
    await world.call(DeleteOrganization(org_id=team.id), dev, world.dashboard)


async def test_read_only_developer_changes_no_team(world: World) -> None:
    """A Dashboard user with the role `member` only reads teams, even as admin of one."""
    reader = await world.dashboard_user("member")
    dev = await world.dashboard_user()
    team = await world.call(CreateOrganization(name="Team"), dev, world.dashboard)
    await world.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
        " VALUES ($1, $2, $3, 'admin')",
        world.dashboard,
        team.id,
        reader.id,
    )

    assert (await world.call(GetOrganization(org_id=team.id), reader, world.dashboard)).id
    for request in (
        CreateOrganization(name="Mine"),
        UpdateOrganization(org_id=team.id, changes=OrganizationChanges(name="x")),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, reader, world.dashboard)


async def test_operator_sees_every_team(world: World) -> None:
    """An operator manages teams without being a member."""
    dev, operator = await world.dashboard_user(), await world.dashboard_user("operator")
    team = await world.call(CreateOrganization(name="Team"), dev, world.dashboard)
    changes = OrganizationChanges(name="Seized")

    renamed = await world.call(
        UpdateOrganization(org_id=team.id, changes=changes), operator, world.dashboard
    )
    assert (renamed.name, renamed.role) == ("Seized", None)


async def test_administrators_list_the_organizations_of_a_user(world: World) -> None:
    """The list has the user's own role, page by page. A user of another application is not found, and
    nobody else may read the list."""
    ada, bob = await world.user_caller(), await world.user_caller()
    foreign = await world.user_caller(app_id=world.other_app_id)
    first, second = await world.organization(ada, "One"), await world.organization(ada, "Two")
    await world.organization(bob, "Three")
    page = await world.call(ListUserOrganizations(user_id=ada.id, limit=1), ADMIN)
    rest = await world.call(ListUserOrganizations(user_id=ada.id, cursor=page.next), ADMIN)

    assert [(org.id, org.role) for org in page.organizations] == [(first.id, "admin")]
    assert [(org.id, org.role) for org in rest.organizations] == [(second.id, "admin")]
    assert rest.next is None
    with pytest.raises(BadCursor):
        await world.call(ListUserOrganizations(user_id=bob.id, cursor=page.next), ADMIN)
    for unknown in (foreign.id, new_id()):
        with pytest.raises(UserNotFound):
            await world.call(ListUserOrganizations(user_id=unknown), ADMIN)
    with pytest.raises(Forbidden):
        await world.call(ListUserOrganizations(user_id=bob.id), bob)


async def test_the_log_names_what_differs(world: World) -> None:
    """A form sends each of its fields. The event has those that are other now, and no more."""
    ada = await world.user_caller()
    org = await world.organization(ada, "Acme")
    for name in ("Acme", "Acme Inc"):
        changes = OrganizationChanges(name=name, slug=org.slug, logo_url=None)
        await world.call(UpdateOrganization(org_id=org.id, changes=changes), ada)

    logged = [data["fields"] for kind, data in await world.events() if kind == "org_updated"]
    assert logged == [["name"]]
