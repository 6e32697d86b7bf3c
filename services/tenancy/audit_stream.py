"""The part of the audit stream that belongs to one application."""

from __future__ import annotations

from dataclasses import dataclass

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from common.audit import STREAM, subjects_of
from common.db import Database
from common.problems import Unavailable
from tenancy.queries import outbox


@dataclass(frozen=True)
class AuditStream:
    """Removes an application's events from the stream."""

    js: JetStreamContext
    upkeep_db: Database

    async def purge(self, app_id: str, home: str) -> None:
        """Purges the application's subjects.

        Raises Unavailable while its events wait in the outbox, or if JetStream does not answer.
        """
        async with self.upkeep_db.at(home).unbound_transaction() as db:
            if await outbox.has_events(db, app_id=app_id):
                raise Unavailable("the last events are still on their way", retry_after=1)
        try:
            await self.js.purge_stream(STREAM, subject=subjects_of(app_id))
        except NotFoundError:
            return  # nothing was ever sent
        except (nats.errors.Error, TimeoutError, APIError, NoStreamResponseError) as error:
            raise Unavailable(f"the stream does not answer ({type(error).__name__})") from None
