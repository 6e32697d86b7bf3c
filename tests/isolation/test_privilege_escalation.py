"""A user with a single permission cannot get another one. Every contract is tried with each
permission.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import NEUTRAL, case
from tests.isolation.sides import KEY_HOLDER, Sides, built, populate
from tests.kit.callers import now
from tests.kit.deployments import Shape
from tests.kit.in_process import bus_of
from tests.kit.postgres import Postgres

from common.context import Caller
from common.contracts.assignments import AssignRole
from common.contracts.base import OPEN, SYSTEM
from common.contracts.rights import GetMyRights
from common.contracts.roles import CreateRole
from common.contracts.users import CreateUser
from common.problems import Problem
from rbac.role_templates import APPLICATION

PERMISSIONS = sorted(APPLICATION)
MIGHTY = {
    "UpdateUser.changes": {"email": "mine@evil.example", "email_verified": True},
    "InviteUser.role_ids": ["admin"],
    "AssignRole.role_id": "admin",
    "UnassignRole.role_id": "admin",
    "ExportUsers.password_hashes": True,
    "CreateRole.permissions": PERMISSIONS,
    "CreateIdentityProvider.settings": {"client_id": "evil", "trusts_email": True},
    "UpdateIdentityProvider.changes": {"client_id": "evil"},
}
"""Values that an attacker would send to get more rights."""
ONES_OWN = {"identity.me.delete"}
"""Contracts that delete the caller."""
OF_THE_ACCOUNT = {
    "users": "SELECT email, email_verified, disabled, epoch FROM users WHERE app_id = $1 AND id = $2",
    "passwords": "SELECT phc FROM passwords WHERE app_id = $1 AND user_id = $2",
    "sessions": "SELECT id, revoked_at FROM user_sessions WHERE app_id = $1 AND user_id = $2"
    " ORDER BY id",
    "roles": "SELECT role_id, org_id FROM user_roles WHERE app_id = $1 AND user_id = $2"
    " ORDER BY role_id",
    "providers": "SELECT name FROM identity_providers WHERE app_id = $1 AND client_id = 'evil'"
    " AND $2::uuid IS NOT NULL",
}
"""Rows of a user with more rights than the caller. They must not change."""


@pytest.fixture(scope="module")
async def mountain(postgres: Postgres, shape: Shape) -> AsyncIterator[Sides]:
    """A world of its own, in which Bob is an administrator."""
    name = postgres.clone()
    async with built(postgres.dsns(name), bus_of(shape)()) as made:
        await populate(made)
        home = made.home
        await made.ask(
            home, KEY_HOLDER, AssignRole(user_id=home.things["user_id"], role_id="admin")
        )
        yield made
    postgres.drop(name)


async def account(sides: Sides) -> dict[str, Any]:
    home = sides.home
    return {
        what: [
            tuple(row) for row in await sides.owner.fetch(sql, home.app_id, home.things["user_id"])
        ]
        for what, sql in OF_THE_ACCOUNT.items()
    }


async def climber(sides: Sides, permission: str) -> Caller:
    """Creates a user whose only role has this one permission."""
    word = permission.replace(":", "-")
    user = await sides.ask(sides.home, KEY_HOLDER, CreateUser(email=f"{word}@example.com"))
    role = await sides.ask(
        sides.home, KEY_HOLDER, CreateRole(name=f"Only {word}", permissions=[permission])
    )
    await sides.ask(sides.home, KEY_HOLDER, AssignRole(user_id=user.id, role_id=role.id))
    return Caller("user", user.id, frozenset({permission}), proven_at=now())


@pytest.mark.parametrize("permission", PERMISSIONS)
async def test_a_permission_leads_nowhere_else(
    permission: str, mountain: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller's rights stay the same, and the account of the administrator does too."""
    for name, value in MIGHTY.items():
        monkeypatch.setitem(NEUTRAL, name, value)
        monkeypatch.delitem(mountain.home.things, name, raising=False)
    who = await climber(mountain, permission)
    before = await account(mountain)
    keys = "SELECT count(*) FROM application_api_keys WHERE app_id = $1 AND created_by = $2"

    for contract in contracts().values():
        if contract.needs not in (SYSTEM, OPEN) and contract.subject not in ONES_OWN:
            for target in (mountain.home.things["user_id"], who.id):
                request = case(contract, mountain.home).request
                if "user_id" in contract.model_fields:
                    request = request.model_copy(update={"user_id": target})
                try:
                    await mountain.ask(mountain.home, who, request)
                except Problem:
                    continue
                assert await account(mountain) == before, contract.subject

    rights = await mountain.ask(mountain.home, who, GetMyRights())
    assert set(rights.permissions) <= {permission}
    assert await mountain.owner.fetchval(keys, mountain.home.app_id, who.id) == 0
