"""Developers: the users of the Dashboard, as operators see them."""

from __future__ import annotations

from common.context import Context
from common.contracts.developers import (
    Developer,
    Developers,
    DeveloperState,
    GetDeveloper,
    ListDevelopers,
)
from common.contracts.profiles import User
from common.contracts.users import ListUsers
from identity import operators, user_list
from identity.caller_checks import check_dashboard
from identity.deps import Deps
from identity.queries import users
from identity.user_changes import existing

FIELDS = frozenset(Developer.model_fields)


async def list_(deps: Deps, ctx: Context, request: ListDevelopers) -> Developers:
    """Returns a page of developers, the newest first. Raises Forbidden outside the Dashboard."""
    check_dashboard(ctx)
    page = await user_list.page(deps, ctx, ListUsers(**request.model_dump()))
    return Developers(
        developers=[Developer.model_validate(_fields(user)) for user in page.users], next=page.next
    )


async def get(deps: Deps, ctx: Context, request: GetDeveloper) -> DeveloperState:
    """Returns a developer. Raises UserNotFound, Unavailable, and Forbidden outside the Dashboard."""
    check_dashboard(ctx)
    async with deps.db.reader(ctx) as db:
        user = existing(await users.get(db, app_id=ctx.app_id, id=request.user_id))
    is_operator = await operators.is_one(deps, ctx, user.id)
    return DeveloperState.model_validate({**_fields(user), "is_operator": is_operator})


def _fields(user: User) -> dict[str, object]:
    return user.model_dump(include=set(FIELDS))
