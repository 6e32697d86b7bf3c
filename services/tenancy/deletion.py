"""The end of an application: whatever it has outside the database, then all its rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from common.audit import STREAM, subjects_of
from common.context import Context
from common.db import Database
from common.problems import Unavailable
from tenancy import certificates
from tenancy.deps import Deps
from tenancy.queries import applications, domains, outbox

PATIENCE: Final = 3600.0
"""Seconds that the rows of a very large application may take."""


@dataclass(frozen=True)
class AuditStream:
    """The events that wait there for readers who will never come."""

    js: JetStreamContext
    upkeep_db: Database

    async def forget(self, app_id: str) -> None:
        async with self.upkeep_db.everywhere() as db:
            if await outbox.waiting(db, app_id=app_id):
                raise Unavailable("the last events are still on their way", retry_after=1)
        try:
            await self.js.purge_stream(STREAM, subject=subjects_of(app_id))
        except NotFoundError:
            return  # nothing was ever sent
        except (nats.errors.Error, TimeoutError, APIError, NoStreamResponseError) as error:
            raise Unavailable(f"the stream does not answer ({type(error).__name__})") from None


async def delete_application(deps: Deps, ctx: Context) -> None:
    """Safe to do again: it takes up where it was cut off. The rows go last, because they say what
    is left elsewhere."""
    async with deps.db.reading(ctx) as db:
        claimed = await domains.all_of(db, app_id=ctx.app_id)
    for row in claimed:
        await certificates.cancel(deps, row)
    if deps.streams is not None:
        await deps.streams.forget(ctx.app_id)
    async with deps.db.transaction(ctx) as tx:
        await applications.delete_all_rows(tx, id=ctx.app_id, within=PATIENCE)
    deps.sealer.forget(ctx.app_id)
    await deps.changes.publish(ctx, "application", ctx.app_id)
