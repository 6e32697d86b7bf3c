"""POST /api/authorize/check: who may do what, and why."""

from __future__ import annotations

import pytest
from tests.service.rbac.conftest import SECRET_KEY, World

from common.contracts.access_check import CheckAccess, Question
from common.contracts.assignments import AssignRole
from common.contracts.permissions import CreatePermission
from common.contracts.roles import CreateRole, RoleChanges, UpdateRole
from common.problems import Forbidden, Invalid


async def test_answers_name_the_role_that_grants(world: World) -> None:
    """Each answer stands where its question stood, with every role that grants it and from where."""
    await world.call(CreatePermission(name="invoice:read"))
    await world.call(CreateRole(name="Auditor", permissions=["invoice:read"]))
    member = RoleChanges(permissions=["invoice:read"])
    await world.call(UpdateRole(role_id="member", kind="organization", changes=member))
    user = await world.user(world.a)
    org = await world.organization(world.a, **{user: "member"})
    await world.call(AssignRole(user_id=user, role_id="auditor", org_id=org))
    request = CheckAccess(
        checks=[
            Question(user_id=user, permission="invoice:read"),
            Question(user_id=user, permission="invoice:read", org_id=org),
            Question(user_id=user, permission="users:read", org_id=org),
        ]
    )
    everywhere, inside, other = (await world.call(request, who=SECRET_KEY)).results

    assert (everywhere.allowed, everywhere.why_not) == (False, "not_granted")
    assert inside.allowed
    assert {(r.role_id, r.via, r.org_id) for r in inside.reasons} == {
        ("member", "organization_role", org),
        ("auditor", "role_in_organization", org),
    }
    assert (other.allowed, other.reasons) == (False, [])


async def test_global_role_counts_in_every_organization(world: World) -> None:
    """A right in the whole application holds inside an organization, also of others."""
    user = await world.user(world.a)
    org = await world.organization(world.a)
    await world.give(user, "admin")
    question = Question(user_id=user, permission="users:read", org_id=org)
    [verdict] = (await world.call(CheckAccess(checks=[question]))).results

    assert verdict.allowed
    assert [(r.role_id, r.via) for r in verdict.reasons] == [("admin", "application")]


async def test_reasons_for_a_no(world: World) -> None:
    """Unknown permission, unknown user, disabled, no member, not granted are told apart."""
    user, disabled = await world.user(world.a), await world.user(world.a)
    stranger = await world.user(world.b)
    await world.give(disabled, "admin")
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", disabled)
    org = await world.organization(world.a)
    asked = [
        Question(user_id=user, permission="no:such"),
        Question(user_id=stranger, permission="users:read"),
        Question(user_id=disabled, permission="users:read"),
        Question(user_id=user, permission="users:read", org_id=org),
        Question(user_id=user, permission="users:read"),
    ]
    results = (await world.call(CheckAccess(checks=asked))).results

    assert [verdict.why_not for verdict in results] == [
        "unknown_permission",
        "unknown_user",
        "disabled",
        "not_a_member",
        "not_granted",
    ]
    assert not any(verdict.allowed for verdict in results)


async def test_verdict_agrees_with_effective_rights(world: World) -> None:
    """For every permission there is, the check says what the rights say."""
    await world.call(CreatePermission(name="invoice:read"))
    await world.call(
        CreateRole(name="Mixed", permissions=["invoice:read", "users:read"]),
    )
    member = RoleChanges(permissions=["invoice:read"])
    await world.call(UpdateRole(role_id="member", kind="organization", changes=member))
    user = await world.user(world.a)
    org = await world.organization(world.a, **{user: "admin"})
    await world.call(AssignRole(user_id=user, role_id="mixed", org_id=org))
    names = [
        row["id"]
        for row in await world.owner.fetch("SELECT id FROM permissions WHERE app_id = $1", world.a)
    ]
    for org_id in (None, org):
        checks = [Question(user_id=user, permission=name, org_id=org_id) for name in names]
        results = (await world.call(CheckAccess(checks=checks))).results
        allowed = sorted(verdict.permission for verdict in results if verdict.allowed)
        assert allowed == (await world.rights(user, org_id=org_id)).permissions


async def test_user_asks_about_himself_alone(world: World) -> None:
    """Without roles:read a user learns nothing about others; a key has to name the user."""
    me, other = await world.user(world.a), await world.user(world.a)
    caller = await world.signed_in(me)
    [mine] = (
        await world.call(CheckAccess(checks=[Question(permission="users:read")]), who=caller)
    ).results

    assert (mine.user_id, mine.allowed) == (me, False)
    with pytest.raises(Forbidden):
        await world.call(
            CheckAccess(checks=[Question(user_id=other, permission="users:read")]), who=caller
        )
    with pytest.raises(Invalid):
        await world.call(CheckAccess(checks=[Question(permission="users:read")]), who=SECRET_KEY)
