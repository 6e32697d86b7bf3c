"""The dependencies of the handlers of the rbac service."""

from __future__ import annotations

from dataclasses import dataclass

from common.connections import Connections
from common.service_deps import ServiceDeps, open_service_deps
from rbac.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Deps(ServiceDeps):
    """The shared fields; rbac needs nothing beyond them."""


async def open_deps(settings: Settings, links: Connections) -> Deps:
    """Opens the database."""
    common = await open_service_deps(settings, links)
    return Deps(**common.shared())
