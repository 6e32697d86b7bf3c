"""`python -m rbac`: roles, permissions, rights."""

from __future__ import annotations

from common.bus import Handlers
from common.connections import Connections
from common.service import ServiceProgram, run
from rbac.deps import Deps, open_deps
from rbac.handlers import HANDLERS
from rbac.settings import Settings


async def start(settings: Settings, links: Connections) -> tuple[Deps, Handlers]:
    """Opens what the handlers need."""
    return await open_deps(settings, links), HANDLERS


SERVICE = ServiceProgram("rbac", Settings, start)

if __name__ == "__main__":
    run(SERVICE)
