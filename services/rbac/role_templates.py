"""The roles, permissions and mappings an application starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from common.context import Context
from common.contracts.base import Done
from common.contracts.roles import SeedRoles
from common.ids import DASHBOARD
from common.problems import Conflict
from rbac.deps import Deps
from rbac.queries import role_templates

PER_APPLICATION: Final = {
    "users:read": "See users, their sessions and identities",
    "users:write": "Create, change and disable users, end their sessions",
    "users:delete": "Delete users",
    "clients:read": "See OAuth clients",
    "clients:write": "Register and change OAuth clients",
    "clients:delete": "Delete OAuth clients",
    "idps:read": "See identity providers",
    "idps:write": "Set up and change identity providers",
    "idps:delete": "Delete identity providers",
    "roles:read": "See roles, permissions and who holds them",
    "roles:write": "Change roles and permissions, give and take them",
}
"""The seeds' eleven."""
BEYOND: Final = {
    "audit:read": "Read the audit log",
    "organizations:read": "See all organizations and their members",
    "organizations:write": "Create, change and delete any organization",
    "webhooks:read": "See webhooks and their deliveries",
    "webhooks:write": "Set up and change webhooks",
}
PLATFORM: Final = {
    "platform:manage": "Run the platform",
    "developers:read": "See developers",
    "developers:write": "Change developers",
    "apps:read:all": "See the applications of every team",
    "apps:write:all": "Change the applications of every team",
}
DEVELOPER: Final = {
    "apps:create": "Create applications",
    "apps:read": "See the team's applications",
    "apps:write": "Change the team's applications",
    "apps:delete": "Delete the team's applications",
    "apps:transfer": "Hand an application to another team",
    "teams:read": "See one's teams",
    "teams:write": "Create teams and change one's own",
}
PROFILE: Final = {"profile:read": "See one's profile", "profile:write": "Change one's profile"}


@dataclass(frozen=True)
class Role:
    """`everything`: it holds every permission there is, also those made later."""

    id: str
    description: str
    permissions: tuple[str, ...] = ()
    everything: bool = False


@dataclass(frozen=True)
class Template:
    """`initial` is the role of a new user, `chief` the one that holds everything."""

    permissions: dict[str, str]
    roles: tuple[Role, ...]
    initial: str
    chief: str
    organization_roles: tuple[Role, ...] = (
        Role("admin", "Manages the organization and its members"),
        Role("member", "Belongs to the organization"),
    )


TEMPLATES: Final[dict[Literal["dashboard", "application"], Template]] = {
    "dashboard": Template(
        permissions=PLATFORM | DEVELOPER | PROFILE | PER_APPLICATION | BEYOND,
        roles=(
            Role("operator", "Platform operator with full system access", everything=True),
            Role(
                "developer",
                "Default role for developer accounts",
                (*DEVELOPER, *PROFILE, "users:read"),
            ),
            Role("member", "Read-only team member", (*PROFILE, "apps:read", "teams:read")),
        ),
        initial="developer",
        chief="operator",
        organization_roles=(
            Role("admin", "Manages the team, its members and its applications"),
            Role("developer", "Manages the team's applications"),
            Role("member", "Sees the team and its applications"),
        ),
    ),
    "application": Template(
        permissions=PER_APPLICATION | BEYOND,
        roles=(
            Role("admin", "Administers the application", everything=True),
            Role("user", "Default role for users"),
        ),
        initial="user",
        chief="admin",
    ),
}


def of(app_id: str) -> Template:
    """The template an application was made from."""
    return TEMPLATES["dashboard" if app_id == DASHBOARD else "application"]


async def seed(deps: Deps, ctx: Context, request: SeedRoles) -> Done:
    """What is there already stays as it is, so this may run any number of times."""
    if (request.template == "dashboard") != (ctx.app_id == DASHBOARD):
        raise Conflict("the dashboard's template is for the dashboard alone")
    template = TEMPLATES[request.template]
    async with deps.db.transaction(ctx) as tx:
        await role_templates.permissions(tx, app_id=ctx.app_id, described=template.permissions)
        await role_templates.roles(
            tx, app_id=ctx.app_id, described={role.id: role.description for role in template.roles}
        )
        for role in template.roles:
            held = list(template.permissions) if role.everything else list(role.permissions)
            await role_templates.mappings(tx, app_id=ctx.app_id, role_id=role.id, permissions=held)
        await role_templates.organization_roles(
            tx,
            app_id=ctx.app_id,
            described={role.id: role.description for role in template.organization_roles},
        )
    await deps.invalidation.publish(ctx, "rights")
    return Done()
