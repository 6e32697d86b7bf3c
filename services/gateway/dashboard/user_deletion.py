"""The end of a user: a page that says what is lost, and a form that asks for the address."""

from __future__ import annotations

from typing import Final

from common.address_keys import address_key
from common.contracts.profiles import User
from common.contracts.users import DeleteUser
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.user_frame import USER, get_user, show_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

PATH: Final = f"{USER}/delete"


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/delete"""
    if not visit.may("users:delete"):
        raise Forbidden
    user = await visit.call(get_user(visit))
    return _ask(visit, user)


def _ask(visit: Visit, user: User, errors: Errors | None = None) -> GatewayResponse:
    return show_user(
        visit,
        "user_deletion.html",
        user,
        "",
        errors=errors,
        values={"confirmation": visit.fields.text("confirmation")},
        api=curl(visit.managed.tenant, "DELETE", f"/users/{user.id}"),
    )


async def delete(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/delete: needs the user's address or id, typed"""
    if not visit.may("users:delete"):
        raise Forbidden
    user = await visit.call(get_user(visit))
    if not _matches(user, visit.fields.text("confirmation")):
        sentence = visit.open().translate("This is not the address or id of this user.")
        return _ask(visit, user, Errors(confirmation=sentence))
    try:
        await visit.call(DeleteUser(user_id=user.id))
    except Problem as error:
        return _ask(visit, user, user_errors(visit, error))
    return redirect(at(f"{visit.home}/users", done="deleted"))


def _matches(user: User, text: str) -> bool:
    """Compares the typed text with the address and the id. The comparison ignores case."""
    if text.lower() == user.id:
        return True
    return user.email is not None and address_key(text) == address_key(user.email)


routes = RouteSet((dashboard_page(PATH, ask, fresh=True), dashboard_form(PATH, delete)))
