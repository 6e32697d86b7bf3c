"""POST /api/authorize/check says what a user may do, and why."""

from __future__ import annotations

import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.access_check import CheckAccess, Question
from common.contracts.assignments import AssignRole
from common.contracts.permissions import CreatePermission
from common.contracts.roles import CreateRole, RoleChanges, UpdateRole
from common.problems import Forbidden, Invalid


async def test_answers_name_the_role_that_grants(world: World) -> None:
    """The answers have the order of the questions, with every role that grants the permission."""
    await world.call(CreatePermission(name="invoice:read"))
    await world.call(CreateRole(name="Auditor", permissions=["invoice:read"]))
    member = RoleChanges(permissions=["invoice:read"])
    await world.call(UpdateRole(role_id="member", kind="organization", changes=member))
    user = await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id, **{user: "member"})
    await world.call(AssignRole(user_id=user, role_id="auditor", org_id=org))
    request = CheckAccess(
        checks=[
            Question(user_id=user, permission="invoice:read"),
            Question(user_id=user, permission="invoice:read", org_id=org),
            Question(user_id=user, permission="users:read", org_id=org),
        ]
    )
    everywhere, inside, other = (await world.call(request, caller=ADMIN)).results

    assert (everywhere.allowed, everywhere.why_not) == (False, "not_granted")
    assert inside.allowed
    assert {(r.role_id, r.via, r.org_id) for r in inside.reasons} == {
        ("member", "organization_role", org),
        ("auditor", "role_in_organization", org),
    }
    assert (other.allowed, other.reasons) == (False, [])


async def test_global_role_counts_in_every_organization(world: World) -> None:
    """A permission in the whole application also counts inside every organization."""
    user = await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id)
    await world.assign_role(user, "admin")
    question = Question(user_id=user, permission="users:read", org_id=org)
    [verdict] = (await world.call(CheckAccess(checks=[question]))).results

    assert verdict.allowed
    assert [(r.role_id, r.via) for r in verdict.reasons] == [("admin", "application")]


async def test_reasons_for_a_no(world: World) -> None:
    """The reason tells an unknown permission, an unknown user, a disabled one, no membership and no
    grant apart."""
    user, disabled = await world.insert_user(world.app_id), await world.insert_user(world.app_id)
    stranger = await world.insert_user(world.other_app_id)
    await world.assign_role(disabled, "admin")
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", disabled)
    org = await world.insert_organization(world.app_id)
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
    """For every permission the check agrees with the user's rights."""
    await world.call(CreatePermission(name="invoice:read"))
    await world.call(
        CreateRole(name="Mixed", permissions=["invoice:read", "users:read"]),
    )
    member = RoleChanges(permissions=["invoice:read"])
    await world.call(UpdateRole(role_id="member", kind="organization", changes=member))
    user = await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id, **{user: "admin"})
    await world.call(AssignRole(user_id=user, role_id="mixed", org_id=org))
    names = [
        row["id"]
        for row in await world.owner.fetch(
            "SELECT id FROM permissions WHERE app_id = $1", world.app_id
        )
    ]
    for org_id in (None, org):
        checks = [Question(user_id=user, permission=name, org_id=org_id) for name in names]
        results = (await world.call(CheckAccess(checks=checks))).results
        allowed = sorted(verdict.permission for verdict in results if verdict.allowed)
        assert allowed == (await world.rights(user, org_id=org_id)).permissions


async def test_a_user_checks_only_their_own_access(world: World) -> None:
    """Without roles:read a user can check only themselves. A key has to name the user."""
    me, other = await world.insert_user(world.app_id), await world.insert_user(world.app_id)
    caller = await world.caller_of(me)
    [mine] = (
        await world.call(CheckAccess(checks=[Question(permission="users:read")]), caller=caller)
    ).results

    assert (mine.user_id, mine.allowed) == (me, False)
    with pytest.raises(Forbidden):
        await world.call(
            CheckAccess(checks=[Question(user_id=other, permission="users:read")]), caller=caller
        )
    with pytest.raises(Invalid):
        await world.call(CheckAccess(checks=[Question(permission="users:read")]), caller=ADMIN)
