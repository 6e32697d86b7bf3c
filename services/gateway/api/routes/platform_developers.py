"""Developers, for operators. Only on the Dashboard's host."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query

from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.base import Done, Id
from common.contracts.developers import (
    DeveloperDetails,
    Developers,
    GetDeveloper,
    GetDeveloperTeams,
    ListDevelopers,
)
from common.contracts.profiles import User
from common.contracts.users import DisableUser, EnableUser
from common.operator_rules import ROLE
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import HostKind, RouteSet

router = NounRouter(prefix="/platform/developers", tags=["platform"])


@router.get("", summary="List developers")
async def list_developers(
    page: Annotated[ListDevelopers, Query()], ctx: SignedIn, bus: TheBus
) -> Developers:
    """Lists the users of the Dashboard, newest first. Needs `developers:read`."""
    return await bus.call(ctx, page)


@router.get("/{id}", summary="Get a developer")
async def get_developer(id: Id, ctx: SignedIn, bus: TheBus) -> DeveloperDetails:
    """Returns a developer with their teams and the applications of these teams, at most 100 of each.
    Needs `developers:read`."""
    developer, teams = await asyncio.gather(
        bus.call(ctx, GetDeveloper(user_id=id)), bus.call(ctx, GetDeveloperTeams(user_id=id))
    )
    return DeveloperDetails(**developer.model_dump(), **teams.model_dump())


@router.post("/{id}/disable", summary="Disable a developer")
async def disable_developer(id: Id, ctx: SignedIn, bus: TheBus) -> User:
    """Prevents a developer from signing in, and ends their sessions and tokens at once. Their teams and
    applications stay. Answers 409 `last_operator` for the last operator. Needs `users:write` and
    `developers:write`."""
    return await bus.call(ctx, DisableUser(user_id=id))


@router.post("/{id}/enable", summary="Enable a developer")
async def enable_developer(id: Id, ctx: SignedIn, bus: TheBus) -> User:
    """Lets a disabled developer sign in again. Needs `users:write` and `developers:write`."""
    return await bus.call(ctx, EnableUser(user_id=id))


@router.put("/{id}/operator", summary="Make a developer an operator")
async def add_operator(id: Id, ctx: SignedIn, bus: TheBus) -> Done:
    """Gives a developer the role `operator`. Needs `roles:write`, every permission of the role, and a
    sign-in within the last 15 minutes."""
    return await bus.call(ctx, AssignRole(user_id=id, role_id=ROLE))


@router.delete("/{id}/operator", summary="Make an operator a developer")
async def remove_operator(id: Id, ctx: SignedIn, bus: TheBus) -> Done:
    """Takes the role `operator` from somebody. Answers 409 `last_operator` for the last operator. Needs
    `roles:write`, every permission of the role, and a sign-in within the last 15 minutes."""
    return await bus.call(ctx, UnassignRole(user_id=id, role_id=ROLE))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)
