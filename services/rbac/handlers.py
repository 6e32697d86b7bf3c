"""Names the handler of each contract that rbac answers."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts.access_check import CheckAccess
from common.contracts.access_evaluation import EvaluateAccess
from common.contracts.assignments import (
    AssignDefaultRole,
    AssignRole,
    ListMyRoles,
    ListUserRoles,
    SetMappedRoles,
    UnassignRole,
)
from common.contracts.base import Request
from common.contracts.delegation import CheckDelegation
from common.contracts.nats_subjects import GetNatsRights
from common.contracts.permissions import (
    CreatePermission,
    DeletePermission,
    GetPermission,
    ListPermissions,
    UpdatePermission,
)
from common.contracts.rights import GetMyRights, GetRights, GetUserRights
from common.contracts.roles import (
    AddPermission,
    CreateRole,
    DeleteRole,
    GetRole,
    ListHolders,
    ListRoles,
    RemovePermission,
    SeedRoles,
    UpdateRole,
)
from rbac import (
    access_check,
    access_evaluation,
    assignments,
    delegation_check,
    mapped_roles,
    nats_rights,
    permissions,
    rights,
    role_templates,
    roles,
)

HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    GetRights: rights.get,
    SeedRoles: role_templates.seed,
    AssignDefaultRole: assignments.create_default,
    SetMappedRoles: mapped_roles.set_,
    AssignRole: assignments.create,
    UnassignRole: assignments.delete,
    ListUserRoles: assignments.list_,
    ListMyRoles: assignments.list_mine,
    GetUserRights: rights.get_of_user,
    GetMyRights: rights.get_mine,
    ListRoles: roles.list_,
    GetRole: roles.get,
    CreateRole: roles.create,
    UpdateRole: roles.update,
    DeleteRole: roles.delete,
    AddPermission: roles.add_permission,
    RemovePermission: roles.remove_permission,
    ListHolders: roles.list_holders,
    ListPermissions: permissions.list_,
    GetPermission: permissions.get,
    CreatePermission: permissions.create,
    UpdatePermission: permissions.update,
    DeletePermission: permissions.delete,
    CheckAccess: access_check.check,
    CheckDelegation: delegation_check.check,
    EvaluateAccess: access_evaluation.evaluate,
    GetNatsRights: nats_rights.get,
}
