"""The passkeys of a side, and answers of their authenticators to challenges of the side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from tests.kit.authenticator import Authenticator
from tests.kit.callers import as_user

from common.context import Caller
from common.contracts.passkey_sign_in import (
    StartFirstPasskey,
    StartPasskeyConfirmation,
    StartPasskeySecondFactor,
    StartPasskeySignIn,
)
from common.contracts.passkeys import AddedPasskey, AddPasskey, StartPasskey
from common.contracts.passwords import SignInWithPassword
from common.crypto import token as new_token
from common.ids import new_id
from identity import half_sessions

if TYPE_CHECKING:
    from tests.isolation.sides import Side, Sides

FACTORS = ["passkey"]
BOBS_SIGN_IN = "StartFirstPasskey.token"
"""Where the token is of a sign-in in which Bob has to enrol a second factor."""


async def add_passkeys(sides: Sides, side: Side, password: str, browser: str) -> None:
    """Adds passkeys for Ada and Bob, and stores what the contracts about passkeys name."""
    by_password = SignInWithPassword(email="bob@example.com", password=password)
    bob = as_user(await sides.ask(side, None, by_password))
    sign_in = await sides.ask(side, None, StartPasskeySignIn(browser=browser))
    registration = (await sides.ask(side, side.ada, StartPasskey())).options
    adas, bobs = Authenticator(side.origin), Authenticator(side.origin)
    mine = await _added(sides, side, side.ada, adas)
    await _added(sides, side, bob, bobs)
    spare = await _added(sides, side, bob, Authenticator(side.origin))
    confirm = await sides.ask(side, side.ada, StartPasskeyConfirmation())
    asked = await _half_session(sides, side, "mfa_required")
    enrolling = await _half_session(sides, side, "mfa_setup_required")
    shown = await sides.ask(side, None, StartPasskeySecondFactor(token=asked))
    first = await sides.ask(side, None, StartFirstPasskey(token=enrolling))
    side.things |= {
        "passkey_id": mine,
        "RemoveUserPasskey.passkey_id": spare,
        "SignInWithPasskey.credential": bobs.get(sign_in.options),
        "ConfirmWithPasskey.credential": adas.get(confirm.options),
        "AddPasskey.credential": Authenticator(side.origin).create(registration),
        BOBS_SIGN_IN: enrolling,
        "AddFirstPasskey.token": enrolling,
        "AddFirstPasskey.credential": Authenticator(side.origin).create(first.options),
        "StartPasskeySecondFactor.token": asked,
        "ShowPasskeySecondFactor.token": asked,
        "ShowPasskeySecondFactor.credential": bobs.get(shown.options),
    }


async def _added(sides: Sides, side: Side, caller: Caller, authenticator: Authenticator) -> str:
    """Adds a passkey. Returns its id."""
    options = (await sides.ask(side, caller, StartPasskey())).options
    request = AddPasskey(credential=authenticator.create(options))
    added: AddedPasskey = await sides.ask(side, caller, request)
    return added.passkey.id


async def _half_session(sides: Sides, side: Side, kind: str) -> str:
    """Inserts a half session of Bob. Returns its token."""
    token = new_token()
    pending: dict[str, Any] = {
        "method": "password",
        "email": "bob@example.com",
        "factors": FACTORS,
        "new_user": False,
        "joins_team": False,
    }
    await sides.owner.execute(
        "INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, amr, factor_times,"
        " factor_epoch, pending, expires_at)"
        " SELECT $1, $2, u.id, $4, $5, '{pwd}', '{\"password\": 1}', u.factor_epoch,"
        " $6::text::jsonb, now() + interval '1 hour'"
        " FROM users u WHERE u.app_id = $1 AND u.id = $3",
        side.app_id,
        new_id(),
        side.things["user_id"],
        sides.world.identity.keys.hash(half_sessions.PURPOSE, token),
        kind,
        orjson.dumps(pending).decode(),
    )
    return token
