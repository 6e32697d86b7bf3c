"""Members of an organization, which always has an admin."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller
from common.contracts.members import (
    AddMember,
    AlreadyMember,
    ChangeMemberRole,
    LastAdmin,
    ListMembers,
    MemberNotFound,
    RemoveMember,
)
from common.contracts.org_domains import JoinByDomain
from common.contracts.organizations import OrganizationNotFound
from common.contracts.roles import CreateRole, RoleNotFound
from common.contracts.users import UserNotFound
from common.problems import Forbidden, Problem


async def test_members_are_listed_in_the_order_they_joined(world: World) -> None:
    """Members see each other's name and address, page by page. Strangers see nothing."""
    ada = await world.user_caller("ada@example.com")
    org = await world.organization(ada)
    others = [await world.user_caller(f"m{n}@example.com") for n in range(4)]
    for other in others:
        await world.join(org.id, other)

    seen, cursor = [], None
    while True:
        page = await world.call(ListMembers(org_id=org.id, limit=2, cursor=cursor), others[0])
        seen += page.members
        if (cursor := page.next) is None:
            break
    assert [m.user_id for m in seen] == [ada.id, *(other.id for other in others)]
    assert (seen[0].email, seen[0].role, seen[1].role) == ("ada@example.com", "admin", "member")
    with pytest.raises(OrganizationNotFound):
        await world.call(ListMembers(org_id=org.id), await world.user_caller())


async def test_application_adds_members(world: World) -> None:
    """A key adds a user of the application once, with an existing role."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    stranger = await world.user_caller(app_id=world.other_app_id)

    added = await world.call(AddMember(org_id=org.id, user_id=bob.id or ""), ADMIN)
    assert (added.user_id, added.role) == (bob.id, "member")
    with pytest.raises(AlreadyMember):
        await world.call(AddMember(org_id=org.id, user_id=bob.id or ""), ADMIN)
    with pytest.raises(UserNotFound):
        await world.call(AddMember(org_id=org.id, user_id=stranger.id or ""), ADMIN)
    with pytest.raises(RoleNotFound):
        await world.call(
            AddMember(org_id=org.id, user_id=(await world.user_caller()).id or "", role="nope"),
            ADMIN,
        )
    with pytest.raises(Forbidden):
        await world.call(AddMember(org_id=org.id, user_id=bob.id or ""), ada)


async def test_roles_of_the_application_can_be_given(world: World) -> None:
    """Members may have admin, member, or any organization role of the application."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.join(org.id, bob)
    await world.call(CreateRole(name="Guest", kind="organization"), ADMIN)
    world.invalidation.published.clear()
    request = ChangeMemberRole(org_id=org.id, user_id=bob.id or "", role="guest")

    assert (await world.call(request, ada)).role == "guest"
    assert (await world.rights(bob, org_id=org.id)).org_role == "guest"
    assert world.invalidation.published == [(world.app_id, "rights", bob.id)]
    assert (await world.event_types())[-1] == "member_role_changed"
    with pytest.raises(RoleNotFound):
        await world.call(request.model_copy(update={"role": "user"}), ada)


async def test_members_change_nobody(world: World) -> None:
    """A member changes and removes nobody, but may leave."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.join(org.id, bob)
    for request in (
        ChangeMemberRole(org_id=org.id, user_id=bob.id or "", role="admin"),
        RemoveMember(org_id=org.id, user_id=ada.id or ""),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, bob)
    await world.call(RemoveMember(org_id=org.id, user_id=bob.id or ""), bob)

    with pytest.raises(OrganizationNotFound):
        await world.call(ListMembers(org_id=org.id), bob)
    with pytest.raises(MemberNotFound):
        await world.call(RemoveMember(org_id=org.id, user_id=bob.id or ""), ada)


async def test_last_admin_stays(world: World) -> None:
    """The last admin cannot leave and cannot be demoted or removed, not even by a key."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.join(org.id, bob)
    me = ada.id or ""
    for request in (
        RemoveMember(org_id=org.id, user_id=me),
        ChangeMemberRole(org_id=org.id, user_id=me, role="member"),
    ):
        for who in (ada, ADMIN):
            with pytest.raises(LastAdmin):
                await world.call(request, who)
    await world.call(ChangeMemberRole(org_id=org.id, user_id=me, role="admin"), ada)
    await world.call(ChangeMemberRole(org_id=org.id, user_id=bob.id or "", role="admin"), ada)
    await world.call(RemoveMember(org_id=org.id, user_id=me), ada)


async def admins(world: World, org_id: str) -> int:
    return int(
        await world.owner.fetchval(
            "SELECT count(*) FROM organization_members WHERE org_id = $1 AND role_id = 'admin'",
            org_id,
        )
    )


async def test_two_who_demote_each_other_leave_one_admin(world: World) -> None:
    """Of two simultaneous demotions one is refused."""
    for _ in range(10):
        one, two = await world.user_caller(), await world.user_caller()
        org = await world.organization(one)
        await world.join(org.id, two, "admin")
        outcomes = await asyncio.gather(
            world.call(ChangeMemberRole(org_id=org.id, user_id=two.id or "", role="member"), one),
            world.call(ChangeMemberRole(org_id=org.id, user_id=one.id or "", role="member"), two),
            return_exceptions=True,
        )

        assert await admins(world, org.id) == 1
        assert sum(isinstance(outcome, Problem) for outcome in outcomes) == 1


N = 4
steps = st.lists(
    st.tuples(
        st.sampled_from(["demote", "promote", "remove", "leave"]),
        st.sampled_from([*range(N), N]),  # who: a member, or the application's key
        st.integers(0, N - 1),  # whom
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(first=st.frozensets(st.integers(0, N - 1), min_size=1), waves=st.lists(steps, max_size=3))
async def test_an_admin_always_remains(
    organizations_stage: World, first: frozenset[int], waves: list[list[tuple[str, int, int]]]
) -> None:
    """After any simultaneous calls of members, admins and keys an admin remains."""
    world = organizations_stage
    world.app_id = await world.application()
    people = [await world.user_caller() for _ in range(N)]
    org = await world.organization(people[min(first)])
    for n, person in enumerate(people):
        if n != min(first):
            await world.join(org.id, person, "admin" if n in first else "member")
    for wave in waves:
        outcomes = await asyncio.gather(
            *(_step(world, org.id, people, step) for step in wave), return_exceptions=True
        )
        assert all(outcome is None or isinstance(outcome, Problem) for outcome in outcomes)
        assert await admins(world, org.id) >= 1


async def _step(
    world: World, org_id: str, people: list[Caller], step: tuple[str, int, int]
) -> None:
    kind, who, whom = step
    caller = ADMIN if who == N else people[who]
    target = people[whom].id or ""
    if kind == "leave":
        await world.call(RemoveMember(org_id=org_id, user_id=target), people[whom])
    elif kind == "remove":
        await world.call(RemoveMember(org_id=org_id, user_id=target), caller)
    else:
        role = "admin" if kind == "promote" else "member"
        await world.call(ChangeMemberRole(org_id=org_id, user_id=target, role=role), caller)


async def test_joining_by_domain_without_one_does_nothing(world: World) -> None:
    """An address whose domain is not proven joins nothing."""
    ada = await world.user_caller("ada@nowhere.example")

    assert (await world.call(JoinByDomain(user_id=ada.id or ""), SYSTEM_CALLER)).org_ids == []


async def test_a_disabled_admin_does_not_count(world: World) -> None:
    """While one of two admins is disabled, the other one cannot leave or be demoted."""
    ada, bob = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.join(org.id, bob, "admin")
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", bob.id)
    events = await world.event_types()
    leaving = RemoveMember(org_id=org.id, user_id=ada.id or "")

    for request in (
        leaving,
        ChangeMemberRole(org_id=org.id, user_id=ada.id or "", role="member"),
    ):
        with pytest.raises(LastAdmin):
            await world.call(request, ada)
    assert await world.event_types() == events

    await world.owner.execute("UPDATE users SET disabled = false WHERE id = $1", bob.id)
    await world.call(leaving, ada)
