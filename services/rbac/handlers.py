"""The table of contents: which contract is answered where."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts import rbac as ask
from common.contracts.base import Request
from rbac import assignments, rights, templates

HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    ask.GetRights: rights.get,
    ask.SeedRoles: templates.seed,
    ask.AssignDefaultRole: assignments.assign_default,
    ask.AssignRole: assignments.assign,
    ask.UnassignRole: assignments.unassign,
}
