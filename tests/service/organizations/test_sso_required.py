"""Who sets `sso_required`, and what members can do in an organization that has it."""

from __future__ import annotations

import dataclasses

import pytest
from tests.kit.callers import ADMIN
from tests.kit.world import World

from common.contracts.members import ListMembers
from common.contracts.organizations import (
    GetOrganization,
    OrganizationChanges,
    UpdateOrganization,
)
from common.contracts.sign_in import SsoRequired
from common.problems import Forbidden

REQUIRED = OrganizationChanges(sso_required=True)


async def test_application_administrators_require_single_sign_on(world: World) -> None:
    """An administrator of the application sets it, which is audited and ends the other sessions. The
    organization's own admin can neither set nor lift it."""
    ada = await world.user_caller()
    org = await world.organization(ada)
    request = UpdateOrganization(org_id=org.id, changes=REQUIRED)
    assert not org.sso_required
    with pytest.raises(Forbidden, match="organizations:write"):
        await world.call(request, ada)
    assert (world.stand_ins.identity.ended, await world.event_types()) == (
        [],
        ["org_created", "member_added"],
    )

    assert (await world.call(request, ADMIN)).sso_required
    assert world.stand_ins.identity.ended == [org.id]
    assert ("org_updated", {"org_id": org.id, "fields": ["sso_required"]}) in await world.events()
    inside = dataclasses.replace(ada, org_id=org.id)
    lifted = UpdateOrganization(org_id=org.id, changes=OrganizationChanges(sso_required=False))
    with pytest.raises(Forbidden):
        await world.call(lifted, inside)
    renamed = UpdateOrganization(org_id=org.id, changes=OrganizationChanges(name="New"))
    assert (await world.call(renamed, inside)).sso_required
    assert world.stand_ins.identity.ended == [org.id]
    assert not (await world.call(lifted, ADMIN)).sso_required


async def test_repeated_request_ends_sessions_again(world: World) -> None:
    """If the sessions could not be ended, the same request tries again, without a second event."""
    org = await world.organization(await world.user_caller())
    for _ in range(2):
        await world.call(UpdateOrganization(org_id=org.id, changes=REQUIRED), ADMIN)

    assert world.stand_ins.identity.ended == [org.id] * 2
    assert (await world.event_types()).count("org_updated") == 1


async def test_members_need_a_session_of_the_provider(world: World) -> None:
    """A member acts in the organization only while it is active in their session: identity makes it
    active only after its own provider. Administrators of the application still see it."""
    ada, eve = await world.user_caller(), await world.user_caller()
    org = await world.organization(ada)
    await world.call(UpdateOrganization(org_id=org.id, changes=REQUIRED), ADMIN)
    elsewhere = dataclasses.replace(ada, org_id=(await world.organization(ada)).id)
    for caller in (ada, elsewhere):
        for request in (
            GetOrganization(org_id=org.id),
            ListMembers(org_id=org.id),
            UpdateOrganization(org_id=org.id, changes=OrganizationChanges(name="x")),
        ):
            with pytest.raises(SsoRequired):
                await world.call(request, caller)

    inside = dataclasses.replace(ada, org_id=org.id)
    assert (await world.call(GetOrganization(org_id=org.id), inside)).role == "admin"
    assert (await world.call(GetOrganization(org_id=org.id), ADMIN)).sso_required
    assert (await world.refused(GetOrganization(org_id=org.id), eve)).status == 404
