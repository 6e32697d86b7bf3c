"""`python -m identity`: users, sessions, passwords, codes, mail."""

from __future__ import annotations

from common.bus import Handlers
from common.service import Links, run
from identity import deps
from identity.handlers import HANDLERS
from identity.settings import Settings


async def start(settings: Settings, links: Links) -> tuple[deps.Deps, Handlers]:
    return await deps.make(settings, links), HANDLERS


if __name__ == "__main__":
    run("identity", Settings, start)
