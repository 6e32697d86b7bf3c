"""Roles give subjects on NATS servers that ask Aero2."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.context import Caller
from common.contracts.assignments import AssignRole
from common.contracts.nats_subjects import GetNatsRights, NatsRights, NatsSubjects
from common.contracts.roles import (
    AddPermission,
    CreateRole,
    GetRole,
    NotHeld,
    RoleChanges,
    SystemRole,
    UpdateRole,
)


def subjects(publish: list[str], deny: tuple[str, ...] = (), **more: Any) -> NatsSubjects:
    rules = {"allow": publish, "deny": list(deny)}
    return NatsSubjects.model_validate({"publish": rules, "subscribe": rules, **more})


async def rights(world: World, **who: str | None) -> NatsRights:
    return await world.call(GetNatsRights(**who))


@pytest.fixture
async def user(world: World) -> str:
    return await world.insert_user(world.app_id)


async def role(world: World, name: str, nats: NatsSubjects, *users: str, **more: Any) -> None:
    await world.call(CreateRole(name=name, nats=nats, **more), ADMIN)
    for each in users:
        await world.call(AssignRole(user_id=each, role_id=name.lower()), ADMIN)


async def test_roles_add_up_and_a_deny_wins(world: World, user: str) -> None:
    """Ids stand in place of their names."""
    await role(world, "One", subjects(["a.{user_id}", "all.>"]), user)
    await role(world, "Two", subjects(["b.{app_id}.*"], ("all.secret.{user_id}",)), user)
    found = await rights(world, user_id=user)

    assert found.publish.allow == [f"a.{user}", "all.>", f"b.{world.app_id}.*"]
    assert found.publish.deny == [f"all.secret.{user}"]
    assert found.subscribe == found.publish
    assert not found.allow_responses


async def test_an_organization_gives_subjects_to_its_members(world: World, user: str) -> None:
    """Roles of members, and roles given in it. In another organization, or after the user has left,
    none of them counts, and no subject has its id."""
    org = await world.insert_organization(world.app_id, **{user: "member"})
    other = await world.insert_organization(world.app_id)
    await role(world, "Everywhere", subjects(["org.{org_id}.>", "own.x"]), user)
    await role(world, "Inside", subjects(["inside"]))
    await world.call(AssignRole(user_id=user, role_id="inside", org_id=org), ADMIN)
    changes = RoleChanges(nats=subjects(["members.{org_id}"]))
    await world.call(UpdateRole(role_id="member", kind="organization", changes=changes), ADMIN)

    at_home = await rights(world, user_id=user, org_id=org)
    assert at_home.publish.allow == ["inside", f"members.{org}", f"org.{org}.>", "own.x"]
    for where in (other, None):
        assert (await rights(world, user_id=user, org_id=where)).publish.allow == ["own.x"]
    await world.owner.execute("DELETE FROM organization_members WHERE user_id = $1", user)
    assert (await rights(world, user_id=user, org_id=org)).publish.allow == ["own.x"]


async def test_a_missing_id_never_widens(world: World, user: str) -> None:
    """A rule that denies with an id that is missing denies for all of them."""
    await role(world, "One", subjects([">"], ("hr.{org_id}.pay", "x-{client_id}.y")), user)
    found = await rights(world, user_id=user)
    assert found.publish.deny == ["*.y", "hr.*.pay"]


async def test_an_id_stays_inside_its_token(world: World) -> None:
    """A client id that is an address cannot add tokens or wildcards to a subject."""
    for client_id in ("https://evil.example/>", "a.b", "*", ">"):
        nats = subjects(["jobs.{client_id}"], ("deny.{client_id}",), clients=[client_id])
        await role(world, f"For{abs(hash(client_id))}", nats)
        found = await rights(world, client_id=client_id)
        assert (found.publish.allow, found.publish.deny) == ([], ["deny.*"])


async def test_a_client_has_what_roles_name_it_for(world: World) -> None:
    """No other application's roles, and nothing of users."""
    await role(world, "Robots", subjects(["jobs.{client_id}"], clients=["client_1"]))
    assert (await rights(world, client_id="client_1")).publish.allow == ["jobs.client_1"]
    assert (await rights(world, client_id="client_2")).publish.allow == []
    stranger = await world.call(GetNatsRights(client_id="client_1"), app_id=world.other_app_id)
    assert stranger.publish.allow == []


async def test_built_in_roles_may_have_subjects(world: World) -> None:
    """Their names and permissions stay fixed."""
    nats = subjects(["everybody"])
    for kind, id in (("application", "user"), ("organization", "member")):
        update = UpdateRole(role_id=id, kind=kind, changes=RoleChanges(nats=nats))
        assert (await world.call(update, ADMIN)).nats == nats
    both = RoleChanges(nats=nats, permissions=["users:read"])
    refused = await world.refused(UpdateRole(role_id="user", changes=both), ADMIN)
    assert isinstance(refused, SystemRole)
    add = AddPermission(role_id="user", permission_id="users:read")
    assert isinstance(await world.refused(add, ADMIN), SystemRole)


async def test_subjects_are_given_by_those_who_hold_everything(world: World) -> None:
    """`roles:write` alone does not suffice, as for an API key. A change of something else does not
    touch them."""
    manager = Caller("client", "c", frozenset({"roles:write", "roles:read"}))
    await role(world, "One", subjects(["a"]))
    for request in (
        CreateRole(name="Two", nats=subjects(["a"])),
        UpdateRole(role_id="one", changes=RoleChanges(nats=subjects([">"]))),
        UpdateRole(role_id="one", changes=RoleChanges(nats=None)),
    ):
        assert isinstance(await world.refused(request, manager), NotHeld)
    await world.call(UpdateRole(role_id="one", changes=RoleChanges(name="Uno")), manager)
    assert (await world.call(GetRole(role_id="one"), manager)).nats == subjects(["a"])


async def test_a_change_is_announced_and_recorded(world: World) -> None:
    """Every process forgets rights, and the event names the field."""
    await role(world, "One", subjects(["a"]))
    world.invalidation.published.clear()
    await world.call(UpdateRole(role_id="one", changes=RoleChanges(nats=None)), ADMIN)

    assert (world.app_id, "rights", "*") in world.invalidation.published
    updated = [facts for name, facts in await world.events() if name == "role_updated"]
    assert [facts["fields"] for facts in updated] == [["nats"]]


@pytest.mark.parametrize(
    "subject",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        ">.a",
        "a>",
        "a.*b",
        "$SYS.>",
        "a.{secret}",
        "{org_id",
        "a\n",
    ],
)
def test_what_is_no_subject(subject: str) -> None:
    """A role says what the server will do, so nothing in it is ignored."""
    with pytest.raises(ValidationError):
        subjects([subject])


@pytest.mark.parametrize(
    "subject",
    [">", "*", "a", "a.*.b.>", "$JS.API.>", "$KV.cfg.>", "orders.{org_id}.x-{user_id}", "_INBOX.>"],
)
def test_what_is_a_subject(subject: str) -> None:
    assert subjects([subject]).publish.allow == [subject]
