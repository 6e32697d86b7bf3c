"""The table of contents: which contract is answered where."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts import rbac as ask
from common.contracts.base import Request
from rbac import access, assignments, permissions, rights, roles, templates

HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    ask.GetRights: rights.get,
    ask.SeedRoles: templates.seed,
    ask.AssignDefaultRole: assignments.assign_default,
    ask.AssignRole: assignments.assign,
    ask.UnassignRole: assignments.unassign,
    ask.ListUserRoles: assignments.list_,
    ask.ListMyRoles: assignments.mine,
    ask.GetUserRights: rights.of_user,
    ask.GetMyRights: rights.mine,
    ask.ListRoles: roles.list_,
    ask.GetRole: roles.get,
    ask.CreateRole: roles.create,
    ask.UpdateRole: roles.update,
    ask.DeleteRole: roles.delete,
    ask.AddPermission: roles.add_permission,
    ask.RemovePermission: roles.remove_permission,
    ask.ListHolders: roles.holders,
    ask.ListPermissions: permissions.list_,
    ask.GetPermission: permissions.get,
    ask.CreatePermission: permissions.create,
    ask.UpdatePermission: permissions.update,
    ask.DeletePermission: permissions.delete,
    ask.CheckAccess: access.check,
}
