"""How much waits to be sent: what an operator sees of it in `GET /health`."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.queues import GetQueues, Queue, Queues
from identity.deps import Deps
from identity.queries import queues

SERVICES: Final = ["identity", "oidc", "rbac", "tenancy"]
"""Those with an audit outbox."""


async def get(deps: Deps, ctx: Context, request: GetQueues) -> Queues:
    """Answer from the database, since a relay or mailer that hangs cannot say so itself."""
    async with deps.relay_db.everywhere() as db:
        relay = await queues.outbox(db, services=SERVICES)
    async with deps.mail_db.everywhere() as db:
        mail = await queues.mail(db)
    return Queues(
        relay={one.service: Queue(waiting=one.waiting, age=one.age) for one in relay},
        mail=Queue(waiting=mail.waiting, age=mail.age),
    )
