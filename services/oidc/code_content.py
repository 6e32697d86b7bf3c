"""Authorization codes: what they are bound to, and how a code carries it (docs/adr/0019).

Every code is a sealed token, so nobody makes or changes one without our key. Usually it carries its
content itself, and nothing is stored before it is redeemed. A code that would get too long, and the
code of a pending request, carry their id only. Their content is stored under that id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Final

import orjson

from common import sealed_tokens
from common.db import Db
from common.sealing import Reader, Sealer

PREFIX: Final = "ac_"
PURPOSE: Final = "authorization code"
MAX_LENGTH: Final = 2048
"""Characters of a code."""
STORED: Final = b""
"""The content of a code that carries its id only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeContent:
    """The client, user, session and request that an authorization code is bound to.

    `id` is also that of the token family which the code will start. `code_challenge` is one of S256.
    `revocations` are the ids of the revocations of this user's grants that were known when the code was
    issued. `cnf` is what the client must prove to redeem it (RFC 7800), `authorization_details` what else was
    granted (RFC 9396).
    """

    id: str
    client_id: str
    client_epoch: int
    user_id: str
    user_epoch: int
    session_id: str
    redirect_uri_hash: str
    redirect_uri_given: bool = True
    code_challenge: str | None = None
    nonce: str | None = None
    scopes: list[str] = field(default_factory=list)
    resource: list[str] = field(default_factory=list)
    claims: dict[str, Any] | None = None
    auth_time: datetime
    acr: str | None = None
    amr: list[str] = field(default_factory=list)
    org_id: str | None = None
    revocations: list[str] = field(default_factory=list)
    cnf: dict[str, Any] | None = None
    authorization_details: list[dict[str, Any]] | None = None
    expires_at: datetime

    def encoded(self) -> dict[str, Any]:
        """Returns the content as JSON, without its id and without what has its default."""
        members = {name: getattr(self, name) for name in NAMES}
        members = {name: value for name, value in members.items() if value != DEFAULTS[name]}
        return members | {name: members[name].isoformat() for name in TIMES}

    @classmethod
    def decoded(cls, id: str, members: Mapping[str, Any]) -> CodeContent | None:
        """Returns the content of a code. Returns None if it has a member that is not known here.

        A newer replica may bind codes to something that this one would not check.
        """
        if not members.keys() <= DEFAULTS.keys():
            return None
        times = {name: datetime.fromisoformat(members[name]) for name in TIMES}
        return cls(id=id, **{**members, **times})


TIMES: Final = ("auth_time", "expires_at")
DEFAULTS: Final[dict[str, Any]] = {
    each.name: each.default if each.default_factory is MISSING else each.default_factory()
    for each in fields(CodeContent)
    if each.name != "id"
}
NAMES: Final = tuple(DEFAULTS)


@dataclass(frozen=True, slots=True)
class OpenedCode:
    """A code that we have issued. `content` is None if it is stored."""

    id: str
    content: CodeContent | None


async def seal(sealer: Sealer, db: Db, app_id: str, content: CodeContent) -> str | None:
    """Returns a code that carries its content. Returns None if it would be too long."""
    plain = orjson.dumps(content.encoded())
    code = await _sealed(sealer, db, app_id, id=content.id, plain=plain)
    return code if len(code) <= MAX_LENGTH else None


async def seal_stored(sealer: Sealer, db: Db, app_id: str, id: str) -> str:
    """Returns the code for content that is stored under `id`: always the same."""
    return await _sealed(sealer, db, app_id, id=id, plain=STORED)


async def _sealed(sealer: Sealer, db: Db, app_id: str, *, id: str, plain: bytes) -> str:
    return PREFIX + await sealed_tokens.seal(
        sealer, db, purpose=PURPOSE, app_id=app_id, id=id, plain=plain
    )


async def open_code(sealer: Sealer, reader: Reader, app_id: str, code: str) -> OpenedCode | None:
    """Returns a code that was issued for this application. Returns None for any other text."""
    if not code.startswith(PREFIX):
        return None
    opened = await sealed_tokens.open_sealed(
        sealer,
        reader,
        purpose=PURPOSE,
        app_id=app_id,
        text=code[len(PREFIX) :],
        max_length=MAX_LENGTH - len(PREFIX),
    )
    if opened is None:
        return None
    if opened.plain == STORED:
        return OpenedCode(opened.id, None)
    content = CodeContent.decoded(opened.id, orjson.loads(opened.plain))
    return None if content is None else OpenedCode(opened.id, content)
