"""Operators without second factor: their own applications, and nothing that is taken from others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.kit.callers import DEVELOPER, now
from tests.kit.world import World

from common.context import Context
from common.contracts.api_keys import CreateApiKey, ListApiKeys, RotateApiKey
from common.contracts.applications import (
    CreateApplication,
    DeleteApplication,
    GetApplication,
    ListApplications,
)
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.step_up import SecondFactorNeeded
from common.contracts.tenants import ManageApplication
from common.ids import new_id


async def owner(world: World) -> tuple[Context, str]:
    """Returns an operator who has not shown a second factor, and their team."""
    team = await world.team()
    ctx = await world.developer(team, permissions=DEVELOPER)
    return ctx.with_caller(replace(ctx.caller, lacks_factor=True)), team


async def test_their_own_application_comes_first(world: World) -> None:
    """The owner can create an application and a key in it before anything else, and manage it."""
    ctx, team = await owner(world)
    made = await world.call(CreateApplication(name="Mine", owner_org_id=team), ctx)
    await world.call(ManageApplication(slug=made.slug), ctx)
    inside = replace(
        ctx,
        app_id=made.id,
        caller=replace(ctx.caller, kind="developer", permissions=frozenset({"*"})),
    )
    key = await world.call(CreateApiKey(name="first"), inside)

    with pytest.raises(SecondFactorNeeded):
        await world.call(RotateApiKey(id=key.id), inside)
    with pytest.raises(SecondFactorNeeded):
        await world.call(DeleteApplication(slug=made.slug, confirm=made.slug), ctx)
    assert key.id in {each.id for each in (await world.call(ListApiKeys(), inside)).api_keys}
    assert (await world.call(GetApplication(slug=made.slug), ctx)).state == "active"


async def test_other_peoples_applications_need_the_factor(world: World) -> None:
    """Neither reading nor managing another team's application is possible without it."""
    ctx, _ = await owner(world)
    team = await world.team()
    made = await world.call(
        CreateApplication(name="Theirs", owner_org_id=team), await world.developer(team)
    )
    for request in (GetApplication(slug=made.slug), ManageApplication(slug=made.slug)):
        with pytest.raises(SecondFactorNeeded):
            await world.call(request, ctx)
    listed = await world.call(ListApplications(), ctx)
    assert made.slug not in {each.slug for each in listed.applications}


async def test_an_old_sign_in_touches_no_key(world: World) -> None:
    """A developer whose sign-in is old can list keys and create none. A secret key can."""
    ctx = await world.developer(await world.team())
    old = replace(ctx.caller, kind="developer", permissions=frozenset({"*"}), proven_at=now() - 960)
    app = await world.create_application()
    inside = replace(ctx, app_id=app.id, caller=old)
    with pytest.raises(FreshSignInNeeded):
        await world.call(CreateApiKey(name="x"), inside)
    keys = await world.call(ListApiKeys(), inside)
    by_key = inside.with_caller(replace(old, kind="secret_key", id=new_id(), proven_at=None))
    made = await world.call(CreateApiKey(name="x"), by_key)
    assert made.id not in {each.id for each in keys.api_keys}
