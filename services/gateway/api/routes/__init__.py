"""All routers, and on which hosts each is served.

A module's `router` has paths relative to `/api`. It is mounted at `/api` on every application's
host and at `/api/applications/{slug}` on the dashboard's, where a developer acts in an application
of their team; `DASHBOARD_ONLY` and `OWN_HOST_ONLY` restrict that.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from gateway.api.noun_router import NounRouter


def modules() -> list[ModuleType]:
    """Every module with routes, in the order of their names."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    others = ("gateway.monitoring.health", "gateway.oauth.discovery", "gateway.oauth.token")
    return [
        importlib.import_module(name)
        for name in (*(f"{__name__}.{name}" for name in names), *others)
    ]


def routers() -> list[tuple[NounRouter, ModuleType]]:
    """Those that have a `router`."""
    return [(module.router, module) for module in modules() if hasattr(module, "router")]
