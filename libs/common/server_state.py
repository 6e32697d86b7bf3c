"""Whether a database server takes writes, and what time it is there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from common.typed_rows import Db

STATE: Final = """
    -- any-tenant: it reads no table, but asks for the server of a connection
    SELECT current_setting('transaction_read_only') = 'off' AS takes_writes,
           extract(epoch FROM clock_timestamp())::float8 AS clock
    """


@dataclass(frozen=True)
class ServerState:
    """The answer of a server. `clock_ahead` are the seconds by which the clock of this process is ahead of the
    server's, at least; negative if it is behind."""

    takes_writes: bool
    clock_ahead: float


async def read(db: Db) -> ServerState:
    """Asks the server of a connection. Raises what the connection raises."""
    before = time.time()
    row = await db.fetchrow(STATE)
    after = time.time()
    assert row is not None
    ahead, behind = before - row["clock"], row["clock"] - after
    return ServerState(row["takes_writes"], max(ahead, 0.0) - max(behind, 0.0))
