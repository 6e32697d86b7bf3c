"""Acts on many users of the list: a page that asks again, and the form that starts the batch."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import ValidationError

from common import freshness
from common.contracts.roles import ListRoles
from common.contracts.user_batches import DeleteUsers, StartUserBatch, UserBatch
from common.contracts.users import UserFilter
from common.problems import Forbidden, Problem
from gateway.dashboard.light_replies import RoleChoice, RoleChoices
from gateway.dashboard.page_routes import dashboard_form
from gateway.dashboard.user_batches import ACTS, PATH
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.users import ADDRESSES, NOTHING_CHOSEN, STATES, USERS, read_filters
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

NEEDS: Final = {act: "users:write" for act in ACTS if act not in ("import", "delete")} | {
    "delete": "users:delete"
}
"""The permission by act. `assign_role` needs another one, which the service checks."""
NUMBER: Final = re.compile(r"[1-9][0-9]{0,6}")


async def check(visit: Visit) -> GatewayResponse:
    """POST …/users/batches/check: shows what would happen, and to how many users"""
    act = _act(visit)
    if not _ids(visit) and _filter(visit) is None:
        back = at(f"{visit.home}/users", **read_filters(visit), done=NOTHING_CHOSEN)
        return redirect(back)
    return await _ask(visit, act)


async def _ask(visit: Visit, act: str, errors: Errors | None = None) -> GatewayResponse:
    if act == "delete":
        freshness.check(visit.user.caller)
    ids, filter = _ids(visit), _filter(visit)
    roles: list[RoleChoice] = []
    if act == "assign_role":
        roles = (await visit.read(ListRoles(limit=100), RoleChoices)).roles
    return visit.show(
        "user_batch_start.html",
        act=act,
        act_name=ACTS[act],
        ids=ids if filter is None else [],
        all_matching=filter is not None,
        filters=read_filters(visit),
        count=_count(visit) if filter is not None else len(ids),
        roles=roles,
        errors=errors,
        values=visit.fields if errors else {},
    )


async def start(visit: Visit) -> GatewayResponse:
    """POST …/users/batches: deletion needs the number of users, typed"""
    act = _act(visit)
    ids, filter = _ids(visit), _filter(visit)
    count = _count(visit) if filter is not None else len(ids)
    if act == "delete" and re.sub(r"\D", "", visit.fields.text("typed")) != str(count):
        sentence = visit.open().translate("This is not the number of users.")
        return await _ask(visit, act, Errors(typed=sentence))
    chosen: dict[str, Any] = {"user_ids": ids}
    if filter is not None:
        chosen = {"filter": filter, "count": count}
    try:
        batch = await _start(visit, act, chosen)
    except (Problem, ValidationError) as error:
        return await _ask(visit, act, user_errors(visit, error))
    return redirect(f"{visit.home}/users/batches/{batch.id}")


async def _start(visit: Visit, act: str, chosen: dict[str, Any]) -> UserBatch:
    if act == "delete":
        return await visit.call(DeleteUsers(**chosen))
    role_id = visit.fields.text_or_none("role_id") if act == "assign_role" else None
    return await visit.call(StartUserBatch(act=act, role_id=role_id, **chosen))


def _act(visit: Visit) -> str:
    """Returns the act of the form. Raises Forbidden if it is none, or if the developer may not do it."""
    act = visit.fields.text("act")
    if act not in NEEDS or not visit.may(NEEDS[act]):
        raise Forbidden
    return act


def _ids(visit: Visit) -> list[str]:
    """Returns the users that the form chooses: those that are ticked, or all of its page."""
    prefix = "shown:" if visit.fields.text("scope") == "page" else "user:"
    return [name.removeprefix(prefix) for name in visit.fields if name.startswith(prefix)]


def _filter(visit: Visit) -> UserFilter | None:
    """Returns the filter if the form chooses all users that match."""
    if visit.fields.text("scope") != "all" or not _count(visit):
        return None
    filters = read_filters(visit)
    return UserFilter(
        search=filters["q"],
        disabled=STATES.get(filters["state"] or ""),
        email_verified=ADDRESSES.get(filters["address"] or ""),
    )


def _count(visit: Visit) -> int:
    text = visit.fields.text("count")
    return int(text) if NUMBER.fullmatch(text) else 0


routes = RouteSet(
    (
        dashboard_form(f"{PATH}/check", check, page_path=USERS),
        dashboard_form(PATH, start, page_path=USERS),
    )
)
