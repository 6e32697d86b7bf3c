"""What every handler of the rbac service is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.bus import Bus
from common.cursors import Cursors
from common.db import Database
from common.invalidation import Changes

if TYPE_CHECKING:
    from rbac.settings import Settings

from common.service import Links, open_stores


@dataclass(frozen=True)
class Deps:
    db: Database
    bus: Bus
    changes: Changes
    cursors: Cursors


async def make(settings: Settings, links: Links) -> Deps:
    stores = await open_stores(settings, links)
    return Deps(
        db=stores.db,
        bus=links.bus,
        changes=links.changes,
        cursors=Cursors(stores.keys),
    )
