"""The one-time link that makes its user the operator of this deployment."""

from common.bus import Bus
from common.context import system_context
from common.contracts.owner import CreateOwnerLink
from common.ids import DASHBOARD


async def owner_link(bus: Bus) -> str:
    """Returns a new link. The link before it no longer works."""
    made = await bus.call(system_context(DASHBOARD, within=15), CreateOwnerLink())
    return made.url
