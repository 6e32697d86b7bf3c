"""A caller cannot act on a user who holds more permissions."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import ADMIN, now
from tests.kit.world import World

from common.context import Caller
from common.contracts.delegation import CheckDelegation
from common.contracts.invitations import InviteUser, ResendInvitation, RevokeInvitation
from common.contracts.profiles import UserChanges
from common.contracts.roles import NotHeld
from common.contracts.sessions import RevokeUserSession, RevokeUserSessions
from common.contracts.user_import import ExportUsers
from common.contracts.users import (
    DeleteUser,
    DisableUser,
    EnableUser,
    ForceReset,
    UnlockUser,
    UpdateUser,
)

ACTS: list[Any] = [
    lambda id, session: UpdateUser(user_id=id, changes=UserChanges(email="mine@evil.example")),
    lambda id, session: DisableUser(user_id=id),
    lambda id, session: EnableUser(user_id=id),
    lambda id, session: ForceReset(user_id=id),
    lambda id, session: UnlockUser(user_id=id),
    lambda id, session: DeleteUser(user_id=id),
    lambda id, session: RevokeUserSessions(user_id=id),
    lambda id, session: RevokeUserSession(user_id=id, session_id=session),
    lambda id, session: InviteUser(email="fresh@example.com", role_ids=["admin"]),
    lambda id, session: ExportUsers(password_hashes=True),
]


@pytest.mark.parametrize("act", ACTS)
async def test_a_helpdesk_does_not_reach_an_administrator(world: World, act: Any) -> None:
    """The calls are refused: no event, no mail, and no session ends."""
    admin, helpdesk = await world.user(), await world.user()
    signed = await world.sign_in(admin)
    world.stand_ins.rbac.stronger_users.add(admin.id)
    may = frozenset({"users:read", "users:write", "users:delete"})
    events, mails = await world.events(), await world.mails()
    caller = Caller("user", helpdesk.id, may, proven_at=now())

    problem = await world.refused(act(admin.id, signed.full().id), caller)

    assert isinstance(problem, NotHeld)
    assert await world.events() == events
    assert await world.mails() == mails
    assert await world.live_session(signed.token) is not None


async def test_full_rights_cost_no_question(world: World) -> None:
    """A secret key may act on every user, and rbac is not called for it."""
    user = await world.user()
    world.stand_ins.rbac.stronger_users.add(user.id)

    assert (await world.call(DisableUser(user_id=user.id), ADMIN)).disabled
    assert not any(isinstance(call, CheckDelegation) for call in world.bus.calls)


@pytest.mark.parametrize("act", [ResendInvitation, RevokeInvitation])
async def test_an_invitation_with_roles_is_theirs_who_hold_them(world: World, act: Any) -> None:
    """A caller with fewer permissions cannot resend or revoke an invitation with roles: no event,
    no mail, and its link still works. An invitation without roles needs only `users:write`."""
    helpdesk = Caller("user", (await world.user()).id, frozenset({"users:read", "users:write"}))
    mighty = await world.call(InviteUser(email="boss@example.com", role_ids=["admin"]), ADMIN)
    plain = await world.call(InviteUser(email="plain@example.com"), ADMIN)
    events, mails = await world.events(), await world.mails()

    problem = await world.refused(act(invitation_id=mighty.id), helpdesk)

    assert isinstance(problem, NotHeld)
    assert (await world.events(), await world.mails()) == (events, mails)
    await world.call(act(invitation_id=plain.id), helpdesk)
    assert len(await world.events()) == len(events) + 1
    await world.call(act(invitation_id=mighty.id), ADMIN)
