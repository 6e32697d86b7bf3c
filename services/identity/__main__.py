"""`python -m identity`: users, sessions, passwords, codes, mail."""

from __future__ import annotations

from common.bus import Handlers
from common.service import Links, open_job, run
from common.sweeps import sweeping
from identity import deps, queues, unsettled
from identity.handlers import HANDLERS
from identity.queries.sweeps import EXPIRED
from identity.settings import Settings


async def start(settings: Settings, links: Links) -> tuple[deps.Deps, Handlers]:
    made = await deps.make(settings, links)
    sweep_db = await open_job(settings.sweep_database_url, links, "sweep")
    links.spawn(sweeping(sweep_db, EXPIRED), "sweeps")
    links.spawn(queues.measuring(made), "queues")
    links.spawn(unsettled.settling(made, sweep_db), "unsettled users")
    return made, HANDLERS


if __name__ == "__main__":
    run("identity", Settings, start)
