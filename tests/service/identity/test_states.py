"""Every call has an answer for a user in any state."""

from __future__ import annotations

from itertools import product
from typing import Any

import bcrypt
import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.world import World

from common.contracts.base import Request
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.passwords import Reauthenticate, SignInWithPassword, StartReset
from common.contracts.profiles import UserChanges
from common.contracts.sessions import ListSessions, ListUserSessions
from common.contracts.user_import import ExportUsers, ImportUsers
from common.contracts.users import (
    CreateUser,
    DisableUser,
    EnableUser,
    FindUser,
    ForceReset,
    GetUser,
    ListUsers,
    UnlockUser,
    UpdateUser,
)
from common.ids import new_id
from common.problems import Problem

HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
ADDRESSES: list[dict[str, Any]] = [
    {"email": None},
    {"email": "Ada@B\u00fccher.example"},
    {"email": "ada@xn--bcher-kva.example", "email_verified": True},
]
PASSWORDS: list[dict[str, Any]] = [{}, {"password": PASSWORD}, {"password_hash": HASH}]
PEOPLE: list[dict[str, Any]] = [
    {},
    {"name": "", "phone_number": "+49 30 1234", "phone_number_verified": True},
    {
        "birthdate": "0000-02-29",
        "address": {},
        "user_metadata": {"": None},
        "created_at": "1900-01-01T00:00:00Z",
    },
]
IMPORTED = [
    {**address, **password, **person, "disabled": disabled}
    for address, password, person, disabled in product(ADDRESSES, PASSWORDS, PEOPLE, [False, True])
]


async def _made(world: World, state: dict[str, Any], way: str) -> str:
    """Creates a user in the state and returns their id."""
    if way == "import":
        state = state if state["email"] else {**state, "id": new_id()}
        (arrival,) = (await world.call(ImportUsers(users=[state]), caller=ADMIN)).arrivals
        assert arrival.status == "created", arrival
        return str(arrival.user_id)
    own = ("email", "email_verified", "phone_number_verified", "password", "user_metadata")
    sent = {name: value for name, value in state.items() if name in own}
    profile = {
        name: value
        for name, value in state.items()
        if name in ("name", "phone_number", "birthdate", "address")
    }
    user = await world.call(CreateUser(**sent, profile=profile), caller=ADMIN)
    if state["disabled"]:
        await world.call(DisableUser(user_id=user.id), caller=ADMIN)
    return user.id


async def _answered(world: World, request: Request[Any], **more: Any) -> Any:
    """Returns the reply, or None for a refusal. Fails at a status of 500 or more."""
    try:
        return await world.call(request, **more)
    except Problem as problem:
        refused = problem
    assert refused.status < 500, (request, refused.to_wire())
    return None


async def _signed_in(world: World, email: str) -> list[Any]:
    """Signs in by password and by mailed code, and returns the sessions."""
    signed = [await _answered(world, SignInWithPassword(email=email, password=PASSWORD))]
    before = len(await world.mails())
    flow = await _answered(world, StartEmailCode(email=email))
    if flow is not None and len(await world.mails()) > before:
        code = (await world.mail()).code
        signed.append(await _answered(world, SignInWithCode(flow=flow.flow, code=code)))
    await _answered(world, StartReset(email=email))
    return [one for one in signed if one is not None]


@pytest.mark.parametrize("way", ["import", "create"])
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, 6))]
)
async def test_every_call_answers_for_a_user_in_every_state(
    world: World, way: str, part: int
) -> None:
    """Lists, export, look-up, sign-in, confirmation and activation answer or refuse."""
    for state in IMPORTED[part::6]:
        if way == "create" and "password_hash" in state:
            continue
        world.app_id = await world.application()
        id = await _made(world, state, way)
        user = await world.call(GetUser(user_id=id), caller=ADMIN)
        assert [one.id for one in (await world.call(ListUsers(), caller=ADMIN)).users] == [id]
        exported = await world.call(ExportUsers(password_hashes=True), caller=ADMIN)
        assert [one.id for one in exported.users] == [id]
        await world.call(ListUsers(search="ada"), caller=ADMIN)
        await world.call(ListUserSessions(user_id=id), caller=ADMIN)
        if user.email:
            assert (await world.call(FindUser(email=user.email), caller=ADMIN)).id == id
            signed = await _signed_in(world, user.email)
            assert bool(signed) is not state["disabled"], state
            for one in signed:
                await world.call(ListSessions(), caller=as_user(one))
                await _answered(world, Reauthenticate(password=PASSWORD), caller=as_user(one))
        for change in (DisableUser, EnableUser, UnlockUser, ForceReset):
            await _answered(world, change(user_id=id), caller=ADMIN)
        cleared = UserChanges(email=None, phone_number=None, birthdate=None, address=None)
        await world.call(UpdateUser(user_id=id, changes=cleared), caller=ADMIN)
        back = await world.call(ExportUsers(), caller=ADMIN)
        await world.call(
            ImportUsers(users=[one.model_dump(mode="json") for one in back.users]), caller=ADMIN
        )
