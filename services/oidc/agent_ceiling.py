"""The most that a client can get which nobody of the application registered."""

from __future__ import annotations

from common.context import Context
from common.contracts.app_settings import AppSettings
from oidc import scope_catalogue
from oidc.deps import Deps
from oidc.scope_catalogue import CLAIMS, ScopeCatalogue

NEVER = "account"
"""A stranger's client may not change the user's account, whatever the settings say."""


def scopes(settings: AppSettings, catalogue: ScopeCatalogue) -> list[str]:
    """Returns the scopes below the ceiling: those of the settings, or all that need no permission."""
    if settings.agent_scopes:
        return [name for name in dict.fromkeys(settings.agent_scopes) if name != NEVER]
    own = [name for name in catalogue.scopes if not catalogue.permissions[name]]
    return [*(name for name in CLAIMS if name != NEVER), *own]


async def resources(deps: Deps, ctx: Context, settings: AppSettings) -> list[str]:
    """Returns the APIs for which such clients get tokens if they name none, as far as they exist."""
    if not settings.agent_resources:
        return []
    catalogue = await scope_catalogue.get_catalogue(deps, ctx)
    found = [catalogue.find_resource(identifier) for identifier in settings.agent_resources]
    return [resource.identifier for resource in found if resource is not None]
