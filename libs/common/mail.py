"""Mail waits in an outbox, written with the work that caused it. The identity service delivers it.

The data of a mail may hold a code or a link, so it is sealed like any other secret.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import orjson

from common.context import Context
from common.db import Db, defer
from common.ids import new_id
from common.sealing import Sealer

NOUN: Final = "mail"
"""A service other than identity publishes an invalidation message with this noun after the commit, so
that the mailer looks at once."""
enqueued: ContextVar[bool] = ContextVar("enqueued", default=False)
"""Whether the request has put mail into the outbox that the mailer was not told of. It is told when
the request commits."""


@dataclass(frozen=True)
class Mail:
    """One mail to one address: a kind of template, in a locale, with what the template needs."""

    to: str
    kind: str
    locale: str
    data: dict[str, Any]
    lifetime: float | None = None
    """Seconds that its code or link is valid: it is not delivered after that."""


async def enqueue(db: Db, ctx: Context, sealer: Sealer, mail: Mail) -> str:
    """Puts a mail into the outbox, in the transaction `db`. Returns its id."""
    id = new_id()
    enqueued.set(True)
    plain = orjson.dumps({"to": mail.to, "data": mail.data})
    sealed = await sealer.seal(db, ctx.app_id, ("mail_outbox", "sealed", id), plain)
    await defer(
        db,
        """
        INSERT INTO mail_outbox (app_id, id, kind, locale, sealed, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
        """,
        ctx.app_id,
        id,
        mail.kind,
        mail.locale,
        sealed,
        mail.lifetime,
    )
    return id
