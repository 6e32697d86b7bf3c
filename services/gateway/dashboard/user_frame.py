"""The frame of the pages of one user: the head with its actions, the tabs, and notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from common.contracts.base import Request
from common.contracts.profiles import User
from common.contracts.users import GetUser
from common.message_ids import N_
from common.problems import Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.undo import undo_values
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.users import USERS
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors

USER: Final = f"{USERS}/{{user_id}}"
NOTICES: Final = {
    "created": N_("User created."),
    "profile": N_("Profile saved."),
    "data": N_("Metadata saved."),
    "disabled": N_("User disabled. All their sessions have ended."),
    "enabled": N_("User enabled. They can sign in again."),
    "unlocked": N_("The count of wrong passwords is zero again."),
    "reset": N_("All sessions have ended. The user got an e-mail to choose a new password."),
    "factors": N_("Second factors removed. The user was told by e-mail."),
    "revoked": N_("Session ended."),
    "all_revoked": N_("All sessions ended."),
    "passkey_removed": N_("Passkey removed. The user was told by e-mail."),
    "disconnected": N_("Account disconnected."),
    "given": N_("Role given."),
    "taken": N_("Role taken away."),
    "grant_revoked": N_("Access revoked. The client's tokens for this user stopped working."),
    "device_signed_out": N_("Device signed out. Its tokens stopped working."),
    "joined": N_("Added to the organization."),
    "left": N_("Removed from the organization."),
}


@dataclass(frozen=True)
class UserTab:
    """A page of a user. `path` follows that of the user. Without the permission `needs` it is hidden."""

    name: str
    path: str
    needs: str | None = None


TABS: Final = (
    UserTab(N_("Profile"), ""),
    UserTab(N_("Sessions"), "/sessions"),
    UserTab(N_("Ways to sign in"), "/ways-in"),
    UserTab(N_("Roles"), "/roles", "roles:read"),
    UserTab(N_("Organizations"), "/organizations", "organizations:read"),
    UserTab(N_("Grants"), "/grants"),
    UserTab(N_("Activity"), "/activity", "audit:read"),
    UserTab(N_("Metadata"), "/data"),
)
UNDO: Final = {"disabled": "/enable", "taken": "/roles", "left": "/organizations"}
"""By notice: the path of the form that undoes the act. It follows that of the user."""
TabHandler = Callable[[Visit, Errors | None], Awaitable[GatewayResponse]]
"""Shows a page of a user, with the sentences about what was refused."""


def get_user(visit: Visit) -> GetUser:
    """Returns the call for the user of the path. Raises ValidationError for an id that is none."""
    return GetUser(user_id=visit.parameters["user_id"])


def user_path(visit: Visit) -> str:
    """Returns the path of the user. Their id was checked by a contract."""
    return f"{visit.home}/users/{visit.parameters['user_id'].lower()}"


def show_user(visit: Visit, template: str, user: User, tab: str, **more: Any) -> GatewayResponse:
    """Renders a page of the user. `tab` is the path of one of TABS."""
    word = visit.fields.text("done") if visit.request.method == "GET" else ""
    done = NOTICES.get(word)
    base = user_path(visit)
    more.setdefault("api", curl(visit.managed.tenant, "GET", f"/users/{user.id}{tab}"))
    return visit.show(
        template,
        user=user,
        base=base,
        tab=tab,
        tab_name=next(one.name for one in TABS if one.path == tab) if tab else None,
        tabs=[one for one in TABS if one.needs is None or visit.may(one.needs)],
        notice=visit.open().translate(done) if done else None,
        undo=_undo(visit, user, word),
        impersonation=visit.managed.tenant.settings.impersonation,
        address=base + tab,
        **more,
    )


def _undo(visit: Visit, user: User, word: str) -> dict[str, Any] | None:
    """Returns the form that undoes the act of the notice, if there is one. A disabled user shows in their
    state that there is something to undo. Other acts name it in the address."""
    fields = undo_values(visit) if word != "disabled" else {} if user.disabled else None
    if word not in UNDO or fields is None:
        return None
    return {"path": UNDO[word], "fields": fields}


async def act(
    visit: Visit,
    call: Request[Any],
    tab: TabHandler,
    *,
    done: str,
    path: str = "",
    undo: str | None = None,
) -> GatewayResponse:
    """Calls a service and returns to `path` under the user. A refusal stands on that page. `undo` is the
    text of `undo_text` if the act can be undone."""
    try:
        await visit.call(call)
    except Problem as error:
        return await tab(visit, user_errors(visit, error))
    return redirect(at(user_path(visit) + path, done=done, undo=undo))
