"""Gives a new application its roles and permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from common.context import Context
from common.contracts.base import Done
from common.contracts.roles import SeedRoles
from common.ids import DASHBOARD
from common.problems import Conflict
from rbac.deps import Deps
from rbac.queries import role_templates, roles

APPLICATION: Final = {
    "users:read": "See users, their sessions and identities",
    "users:write": "Create, change and disable users, end their sessions",
    "users:delete": "Delete users",
    "users:impersonate": "Act as a user, where the application allows it",
    "clients:read": "See OAuth clients",
    "clients:write": "Register and change OAuth clients",
    "clients:delete": "Delete OAuth clients",
    "idps:read": "See identity providers",
    "idps:write": "Set up and change identity providers",
    "idps:delete": "Delete identity providers",
    "idps:tokens": "Read users' tokens at identity providers, as the application's backend",
    "roles:read": "See roles, permissions and who holds them",
    "roles:write": "Change roles and permissions, give and take them",
    "audit:read": "Read the audit log",
    "organizations:read": "See all organizations and their members",
    "organizations:write": "Create, change and delete any organization",
    "webhooks:read": "See webhooks and their deliveries",
    "webhooks:write": "Set up and change webhooks",
    "authz:evaluate": "Ask which user may do what, as an AuthZEN enforcement point",
}
"""Permissions that every application has."""
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
class RoleTemplate:
    """A role to create. `everything`: it has every permission, and gets each one created later."""

    id: str
    description: str
    permissions: tuple[str, ...] = ()
    everything: bool = False


@dataclass(frozen=True)
class ApplicationTemplate:
    """The roles and permissions that an application starts with.

    `default_role` is the role of a new user. `full_role` is the role that holds everything.
    """

    permissions: dict[str, str]
    roles: tuple[RoleTemplate, ...]
    default_role: str
    full_role: str
    organization_roles: tuple[RoleTemplate, ...] = (
        RoleTemplate("admin", "Manages the organization and its members"),
        RoleTemplate("member", "Belongs to the organization"),
    )


TEMPLATES: Final[dict[Literal["dashboard", "application"], ApplicationTemplate]] = {
    "dashboard": ApplicationTemplate(
        permissions=PLATFORM | DEVELOPER | PROFILE | APPLICATION,
        roles=(
            RoleTemplate("operator", "Platform operator with full system access", everything=True),
            RoleTemplate(
                "developer",
                "Default role for developer accounts",
                (*DEVELOPER, *PROFILE, "users:read"),
            ),
            RoleTemplate("member", "Read-only team member", (*PROFILE, "apps:read", "teams:read")),
        ),
        default_role="developer",
        full_role="operator",
        organization_roles=(
            RoleTemplate("admin", "Manages the team, its members and its applications"),
            RoleTemplate("developer", "Manages the team's applications"),
            RoleTemplate("member", "Sees the team and its applications"),
        ),
    ),
    "application": ApplicationTemplate(
        permissions=APPLICATION,
        roles=(
            RoleTemplate("admin", "Administers the application", everything=True),
            RoleTemplate("user", "Default role for users"),
        ),
        default_role="user",
        full_role="admin",
    ),
}


def template_of(app_id: str) -> ApplicationTemplate:
    """Returns the template that the application was created from."""
    return TEMPLATES["dashboard" if app_id == DASHBOARD else "application"]


async def seed(deps: Deps, ctx: Context, request: SeedRoles) -> Done:
    """Creates the template's roles and permissions; those that exist stay as they are.

    Raises Conflict if the template is not the application's.
    """
    if (request.template == "dashboard") != (ctx.app_id == DASHBOARD):
        raise Conflict("the Dashboard's template is for the Dashboard alone")
    template, app_id = TEMPLATES[request.template], ctx.app_id
    async with deps.db.transaction(ctx) as tx:
        await role_templates.insert_permissions(
            tx, app_id=app_id, descriptions=template.permissions
        )
        await role_templates.insert_roles(
            tx, app_id=app_id, descriptions={role.id: role.description for role in template.roles}
        )
        for role in template.roles:
            permissions = list(template.permissions if role.everything else role.permissions)
            await roles.add_permissions(
                tx, "application", app_id=app_id, id=role.id, permissions=permissions
            )
        await role_templates.insert_organization_roles(
            tx,
            app_id=app_id,
            descriptions={role.id: role.description for role in template.organization_roles},
        )
    await deps.invalidation.publish(ctx, "rights")
    return Done()
