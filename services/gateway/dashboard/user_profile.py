"""One user: their profile and its form, and the acts that change their state."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from common.contracts.profiles import User, UserChanges
from common.contracts.users import DisableUser, EnableUser, ForceReset, UnlockUser, UpdateUser
from common.contracts.versioned import ChangedMeanwhile
from common.problems import Forbidden, Problem
from gateway.dashboard import form_guard
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.user_frame import USER, act, get_user, show_user, user_path
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

TEXTS: Final = (
    "email",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "phone_number",
    "picture",
    "locale",
    "zoneinfo",
)
SWITCHES: Final = ("email_verified", "phone_number_verified")
"""Checkboxes, which a form leaves out if they are not set."""


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}"""
    return await _show(visit, None)


async def _show(visit: Visit, errors: Errors | None) -> GatewayResponse:
    user = await visit.call(get_user(visit))
    return _profile(visit, user, errors)


def _profile(
    visit: Visit, user: User, errors: Errors | None = None, values: dict[str, str] | None = None
) -> GatewayResponse:
    return show_user(
        visit, "user_profile.html", user, "", errors=errors, values=values, stored=_stored(user)
    )


def _stored(user: User) -> dict[str, str]:
    """Returns what the form shows of the user."""
    texts = {name: getattr(user, name) or "" for name in TEXTS}
    return texts | {name: "1" if getattr(user, name) else "" for name in SWITCHES}


async def save(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}: changes what differs from the form that was shown. If somebody else changed
    the user since then, the form comes back with what they stored."""
    if not visit.may("users:write"):
        raise Forbidden
    user = await visit.call(get_user(visit))
    values = {name: visit.fields.text(name) for name in (*TEXTS, *SWITCHES)}
    stored = _stored(user)
    changed = {name for name, value in values.items() if value != stored[name]}
    try:
        form_guard.check(visit, user)
        changes = UserChanges(**{name: _value(name, values[name]) for name in changed})
        await visit.call(UpdateUser(user_id=user.id, changes=changes), version=user.version)
    except ChangedMeanwhile:
        user = await visit.call(get_user(visit))
        return _profile(visit, user, _meanwhile(visit, values, _stored(user)), values)
    except (Problem, ValidationError) as error:
        return _profile(visit, user, user_errors(visit, error), values)
    return redirect(at(user_path(visit), done="profile"))


def _value(name: str, text: str) -> Any:
    return text == "1" if name in SWITCHES else text or None


def _meanwhile(visit: Visit, values: dict[str, str], stored: dict[str, str]) -> Errors:
    """Returns a sentence for each field whose stored value differs from the form."""
    theirs = {name: stored[name] for name in TEXTS if values[name] != stored[name]}
    return form_guard.changed_meanwhile(visit.open().language, theirs)


async def disable(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/disable"""
    call = DisableUser(user_id=visit.parameters["user_id"])
    return await act(visit, call, _show, done="disabled")


async def enable(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/enable"""
    return await act(visit, EnableUser(user_id=visit.parameters["user_id"]), _show, done="enabled")


async def unlock(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/unlock"""
    return await act(visit, UnlockUser(user_id=visit.parameters["user_id"]), _show, done="unlocked")


async def force_reset(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/force-reset"""
    return await act(visit, ForceReset(user_id=visit.parameters["user_id"]), _show, done="reset")


routes = RouteSet(
    (
        dashboard_page(USER, show),
        dashboard_form(USER, save),
        dashboard_form(f"{USER}/disable", disable, page_path=USER),
        dashboard_form(f"{USER}/enable", enable, page_path=USER),
        dashboard_form(f"{USER}/unlock", unlock, page_path=USER),
        dashboard_form(f"{USER}/force-reset", force_reset, page_path=USER),
    )
)
