"""Recovery codes: ten codes that stand in for a second factor, each once.

A code has 120 random bits, so a keyed hash without a slow function protects it. It is shown once, when
it is created.
"""

from __future__ import annotations

import secrets
from typing import Final

from common.context import Context
from common.db import Db
from identity.deps import Deps
from identity.queries import recovery_codes

NUMBER: Final = 10
"""Codes of one set."""
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter looks like a digit."""
LENGTH: Final = 24
"""Characters, of five bits each."""
GROUP: Final = 4
PURPOSE: Final = "recovery_code"
"""The label of the codes' hashes."""
LOOKALIKES: Final = str.maketrans({"i": "1", "l": "1", "o": "0", " ": "", "-": "", "\t": ""})
"""The characters that people mistake for others, and those that only separate."""


async def create_if_none(deps: Deps, ctx: Context, tx: Db, user_id: str) -> list[str] | None:
    """Creates recovery codes for a user who enrols a second factor. Returns them, to be shown once, or
    None if the user has codes left. The caller has locked the user's row."""
    if await recovery_codes.count_unused(tx, app_id=ctx.app_id, user_id=user_id):
        return None
    return await regenerate(deps, ctx, tx, user_id)


async def regenerate(deps: Deps, ctx: Context, tx: Db, user_id: str) -> list[str]:
    """Replaces all recovery codes of a user. Returns the new ones, to be shown once. The caller has
    locked the user's row, and raises the user's factor epoch."""
    codes = [_new_code() for _ in range(NUMBER)]
    await recovery_codes.delete_all(tx, app_id=ctx.app_id, user_id=user_id)
    await recovery_codes.insert(
        tx,
        app_id=ctx.app_id,
        user_id=user_id,
        code_hashes=[deps.keys.hash(PURPOSE, normalized(code)) for code in codes],
    )
    return codes


async def consume(deps: Deps, ctx: Context, tx: Db, user_id: str, *, code: str) -> bool:
    """Consumes a code in one statement. Returns False if it is wrong or was used."""
    return await recovery_codes.consume(
        tx,
        app_id=ctx.app_id,
        user_id=user_id,
        code_hashes=deps.keys.hashes(PURPOSE, normalized(code)),
    )


def normalized(code: str) -> str:
    """Returns a code as it is hashed: in lower case, without spaces and hyphens, and with the digits
    that people mistake for letters."""
    return code.lower().translate(LOOKALIKES)


def _new_code() -> str:
    text = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(text[start : start + GROUP] for start in range(0, LENGTH, GROUP))
