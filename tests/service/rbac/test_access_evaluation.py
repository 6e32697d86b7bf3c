"""Access evaluations (AuthZEN) decide by our roles alone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.context import Caller
from common.contracts.access_evaluation import AccessEvaluation, EvaluateAccess
from common.contracts.assignments import AssignRole
from common.contracts.permissions import CreatePermission
from common.contracts.roles import CreateRole
from common.problems import Forbidden


def question(user: str, **more: Any) -> AccessEvaluation:
    """May the user read invoices? `more` replaces members."""
    members: dict[str, Any] = {
        "subject": {"type": "user", "id": user},
        "action": {"name": "read"},
        "resource": {"type": "invoice", "id": "7"},
    }
    return AccessEvaluation.model_validate(members | more)


async def decisions(world: World, *questions: AccessEvaluation) -> list[bool]:
    reply = await world.call(EvaluateAccess(evaluations=list(questions)), caller=ADMIN)
    return list(reply.decisions)


@pytest.fixture
async def reader(world: World) -> str:
    """A user with a role that reads invoices."""
    await world.call(CreatePermission(name="invoice:read"))
    await world.call(CreateRole(name="Auditor", permissions=["invoice:read"]))
    user = await world.insert_user(world.app_id)
    await world.call(AssignRole(user_id=user, role_id="auditor"))
    return user


async def test_a_role_decides(world: World, reader: str) -> None:
    """The permission is the type of the resource and the name of the action."""
    nobody = await world.insert_user(world.app_id)
    asked = [
        question(reader),
        question(nobody),
        question(reader, action={"name": "write"}),
        question(reader, resource={"type": "order", "id": "7"}),
    ]
    assert await decisions(world, *asked) == [True, False, False, False]


async def test_what_is_not_ours_is_denied(world: World, reader: str) -> None:
    """An unknown subject, a subject of another type or application, and names that no permission can
    have. The order of the others stays."""
    stranger = await world.insert_user(world.other_app_id)
    asked = [
        question("ada@example.com"),
        question("01900000-0000-7000-8000-00000000ffff"),
        question(stranger),
        question(reader, subject={"type": "group", "id": reader}),
        question(reader, action={"name": "READ IT"}),
        question(reader, resource={"type": "invoice", "id": "7", "properties": {"org_id": "x"}}),
        question(reader),
    ]
    assert await decisions(world, *asked) == [False] * 6 + [True]


async def test_our_data_wins_over_properties(world: World, reader: str) -> None:
    """Trap 68: what the caller says about the subject changes nothing."""
    nobody, locked = await world.insert_user(world.app_id), reader
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", locked)
    claims = {
        "roles": ["admin", "auditor"],
        "permissions": ["invoice:read"],
        "disabled": False,
        "org_id": "01900000-0000-7000-8000-00000000ffff",
    }
    asked = [
        question(user, subject={"type": "user", "id": user, "properties": claims})
        for user in (nobody, locked)
    ]
    assert await decisions(world, *asked) == [False, False]


async def test_a_role_in_an_organization_counts_for_its_resources(
    world: World, reader: str
) -> None:
    """The resource says to which organization it belongs. Who belongs there is our data."""
    member = await world.insert_user(world.app_id)
    org = await world.insert_organization(world.app_id, **{member: "member"})
    other = await world.insert_organization(world.app_id)
    await world.call(AssignRole(user_id=member, role_id="auditor", org_id=org))
    asked = [
        question(member, resource={"type": "invoice", "id": "7", "properties": {"org_id": where}})
        for where in (org, other, None)
    ]
    assert await decisions(world, *asked) == [True, False, False]


async def test_only_enforcement_points_ask(world: World, reader: str) -> None:
    """`roles:read` does not suffice, and `authz:evaluate` does."""
    request = EvaluateAccess(evaluations=[question(reader)])
    with pytest.raises(Forbidden):
        await world.call(request, caller=Caller("client", "c", frozenset({"roles:read"})))
    allowed = Caller("client", "c", frozenset({"authz:evaluate"}))
    assert (await world.call(request, caller=allowed)).decisions == [True]
