"""A process whose clock is far from the database's refuses requests.

It could work, since `common.clock` follows the database. But such a difference is a mistake in the time zone, or
a machine that lost its time: somebody must see it, and one of both clocks stamps records wrongly.
"""

from __future__ import annotations

from typing import Final

from common import clock, logs, metrics
from common.bus_server import BusServer
from common.problems import Unavailable

log = logs.get(__name__)

MOST: Final = 120.0
"""Seconds by which the clock of a process may differ from the database's: machines without NTP drift by less in
months, and a wrong time zone or year is more."""
REASON: Final = "the clock of this replica is wrong"


def check_clock(server: BusServer | None, ahead: float) -> bool:
    """Corrects the time of this process. Lets a server refuse requests from now on if the clock is `ahead` or
    behind by too much, and answer them again once it is right. A caller asks another replica then, if its
    request is safe. Returns whether the clock is right."""
    metrics.CLOCK_AHEAD.set(ahead)
    clock.correct(ahead)
    wrong = abs(ahead) > MOST
    if server is None or wrong is (server.refusal is not None):
        return not wrong
    server.refusal = Unavailable(REASON, retry_after=5) if wrong else None
    if wrong:
        log.error("clock is wrong", of=server.name, ahead=round(ahead))
    else:
        log.warning("clock is right again", of=server.name, ahead=round(ahead))
    return not wrong
