"""Every way that ends in somebody becoming an operator asks the caller for a fresh sign-in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from tests.kit.callers import PASSWORD
from tests.kit.world import World

from common.caller import Caller
from common.context import Context
from common.contracts.api_keys import CreateApiKey
from common.contracts.applications import ApplicationNotFound
from common.contracts.assignments import AssignRole
from common.contracts.base import Request
from common.contracts.identity_providers import CreateIdentityProvider
from common.contracts.impersonation import StartImpersonation
from common.contracts.invitations import (
    AcceptInvitation,
    InviteUser,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.profiles import UserChanges
from common.contracts.roles import CreateRole, NotHeld
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.tenants import ManageApplication
from common.contracts.user_batches import AddUserImportRows, StartUserBatch, StartUserImport
from common.contracts.user_import import ImportUsers
from common.contracts.users import (
    CreateUser,
    DisableUser,
    EnableUser,
    UpdateUser,
)
from common.ids import DASHBOARD, new_id

BOSS: Final = "boss@platform.example"
"""The address that the deployment names as its operator."""
PROVIDER: Final = {
    "display_name": "Acme",
    "type": "oidc",
    "issuer": "https://idp.example.com",
    "client_id": "c",
    "role_mapping": [{"claim": "groups", "value": "ops", "role_id": "operator"}],
}
BATCH: Final = new_id()
WAYS: Final[dict[str, Callable[[str, str], Request[Any]]]] = {
    "role": lambda user, _: AssignRole(user_id=user, role_id="operator"),
    "role with the permission": lambda *_: CreateRole(
        name=new_id(), permissions=["platform:manage"]
    ),
    "role in a batch": lambda user, _: StartUserBatch(
        act="assign_role", role_id="operator", user_ids=[user]
    ),
    "invitation": lambda *_: InviteUser(email=address(), role_ids=["developer", "operator"]),
    "provider": lambda *_: CreateIdentityProvider(
        name="acme", client_secret="s", settings=PROVIDER
    ),
    "address of an operator": lambda _, operator: UpdateUser(
        user_id=operator, changes=UserChanges(email=address())
    ),
    "verified address of an operator": lambda _, operator: UpdateUser(
        user_id=operator, changes=UserChanges(email_verified=True)
    ),
    "disabled operator": lambda _, operator: EnableUser(user_id=operator),
    "acting as an operator": lambda _, operator: StartImpersonation(
        user_id=operator, reason="Ticket 1", minutes=5
    ),
    "named address of a new user": lambda *_: CreateUser(email=BOSS, password=PASSWORD),
    "named address": lambda user, _: UpdateUser(
        user_id=user, changes=UserChanges(email=BOSS.upper())
    ),
    "named address in an import": lambda *_: ImportUsers(users=[{"email": f" {BOSS}"}]),
    "named address in a batch": lambda *_: StartUserImport(
        users=[{"email": address()}, {"email": BOSS, "email_verified": True}]
    ),
    "named address in more rows": lambda *_: AddUserImportRows(
        batch_id=BATCH, first=0, users=[{"email": BOSS}]
    ),
}


def address() -> str:
    return f"{new_id()}@example.com"


def old(caller: Caller) -> Caller:
    """Returns the caller an hour later."""
    return replace(caller, proven_at=int(time.time()) - 3600)


def of_dashboard(caller: Caller) -> Caller:
    """Returns the caller as they are when they manage the Dashboard like any application."""
    return replace(caller, kind="developer", permissions=frozenset({"*"}), org_id=None)


async def operators(world: World) -> frozenset[str]:
    rows = await world.owner.fetch(
        "SELECT DISTINCT ur.user_id FROM user_roles ur JOIN role_permissions rp"
        " ON rp.app_id = ur.app_id AND rp.role_id = ur.role_id"
        " WHERE ur.app_id = $1 AND rp.permission_id = 'platform:manage'",
        DASHBOARD,
    )
    return frozenset(str(row["user_id"]) for row in rows)


@pytest.fixture(autouse=True)
async def no_boss(world: World) -> None:
    """Ends what other tests left behind in the Dashboard."""
    await world.owner.execute(
        "DELETE FROM users WHERE app_id = $1 AND email_normalized = $2", DASHBOARD, BOSS
    )


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_needs_a_fresh_sign_in(
    world: World, operator: Context, way: str, managed: bool
) -> None:
    """An hour after the sign-in nobody becomes an operator, nor can anybody act as one. It is the same
    if the operator manages the Dashboard like an application."""
    caller = of_dashboard(operator.caller) if managed else operator.caller
    user = (await world.dashboard_user()).id or ""
    another = (await world.dashboard_user("operator")).id or ""
    before = await operators(world)

    with pytest.raises(FreshSignInNeeded):
        await world.call(WAYS[way](user, another), old(caller), DASHBOARD)

    assert await operators(world) == before


@pytest.mark.parametrize("managed", [False, True])
async def test_an_invitation_as_operator_needs_a_fresh_sign_in(
    world: World, operator: Context, managed: bool
) -> None:
    """Sending it, sending it again and revoking it. Who accepts it is an operator. Other roles are given
    in an old session too."""
    caller = of_dashboard(operator.caller) if managed else operator.caller
    await world.call(InviteUser(email=address(), role_ids=["developer"]), old(caller), DASHBOARD)
    mails = len(await world.mails(DASHBOARD))
    sent = await world.call(InviteUser(email=address(), role_ids=["operator"]), caller, DASHBOARD)
    for again in (ResendInvitation(invitation_id=sent.id), RevokeInvitation(invitation_id=sent.id)):
        with pytest.raises(FreshSignInNeeded):
            await world.call(again, old(caller), DASHBOARD)

    assert len(await world.mails(DASHBOARD)) == mails + 1
    await world.call(ResendInvitation(invitation_id=sent.id), caller, DASHBOARD)
    link = AcceptInvitation(token=(await world.mail(DASHBOARD)).token, password=PASSWORD)
    signed = await world.call(link, app_id=DASHBOARD)
    assert signed.full().user_id in await operators(world)


async def test_what_makes_no_operator_needs_none(world: World, operator: Context) -> None:
    """Other users of the Dashboard are changed in an old session as before; so are users of an application
    that have a role or an address with the names of the Dashboard."""
    caller, user = old(operator.caller), (await world.dashboard_user()).id or ""
    for call in (
        AssignRole(user_id=user, role_id="member"),
        UpdateUser(user_id=user, changes=UserChanges(email=address())),
        DisableUser(user_id=user),
        EnableUser(user_id=user),
        CreateUser(email=address()),
        ImportUsers(users=[{"email": address()}, {"email": 7}, "line"]),
        StartUserBatch(act="assign_role", role_id="member", user_ids=[user]),
    ):
        await world.call(call, caller, DASHBOARD)
    await world.owner.execute(
        "INSERT INTO roles (app_id, id, name) VALUES ($1, 'operator', 'operator')", world.app_id
    )
    developer = replace(of_dashboard(caller), teams=frozenset())
    await world.call(CreateUser(email=BOSS, email_verified=True), developer)
    await world.call(InviteUser(email=address(), role_ids=["operator"]), developer)


async def test_the_named_address_takes_every_permission(world: World, operator: Context) -> None:
    """Somebody who may change users, but is no operator, makes nobody operator by an address."""
    role = await world.call(
        CreateRole(name=new_id(), permissions=["users:write", "developers:write"]),
        operator.caller,
        DASHBOARD,
    )
    helper = await world.dashboard_user(role.id)
    plain = await world.insert_user(DASHBOARD, email=address())
    for call in (
        CreateUser(email=BOSS, email_verified=True),
        UpdateUser(user_id=plain, changes=UserChanges(email=BOSS, email_verified=True)),
        ImportUsers(users=[{"email": BOSS, "email_verified": True}]),
        StartUserImport(users=[{"email": BOSS, "email_verified": True}]),
    ):
        with pytest.raises(NotHeld):
            await world.call(call, helper, DASHBOARD)
    boss = await world.call(CreateUser(email=BOSS, email_verified=True), operator.caller, DASHBOARD)
    assert boss.id in await operators(world)


async def test_only_operators_manage_the_dashboard(world: World, operator: Context) -> None:
    """A role that reaches the applications of all teams does not reach the Dashboard, where every
    permission would make its holder an operator."""
    slug = await world.owner.fetchval("SELECT slug FROM applications WHERE id = $1", DASHBOARD)
    permissions = ["apps:read", "apps:write", "apps:read:all", "apps:write:all"]
    role = await world.call(
        CreateRole(name=new_id(), permissions=permissions), operator.caller, DASHBOARD
    )
    helper = await world.dashboard_user(role.id)
    of_team = await world.create_application(await world.team())

    with pytest.raises(ApplicationNotFound):
        await world.call(ManageApplication(slug=slug), helper, DASHBOARD)
    assert (
        "*"
        in (await world.call(ManageApplication(slug=of_team.slug), helper, DASHBOARD)).permissions
    )
    with pytest.raises(FreshSignInNeeded):  # a secret key of the Dashboard can do all of it
        await world.call(CreateApiKey(), old(of_dashboard(operator.caller)), DASHBOARD)
    managed = await world.call(ManageApplication(slug=slug), operator.caller, DASHBOARD)
    assert managed.permissions == ["*"]
