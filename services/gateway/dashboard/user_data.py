"""The metadata of a user, which developers edit as JSON."""

from __future__ import annotations

from typing import Final

import orjson
from pydantic import ValidationError

from common.contracts.profiles import User, UserChanges
from common.contracts.users import UpdateUser
from common.contracts.versioned import ChangedMeanwhile
from common.field_errors import FieldError
from common.problems import Forbidden, Invalid, Problem
from gateway.dashboard import form_guard
from gateway.dashboard.api_call import curl
from gateway.dashboard.json_texts import read_object, sentence
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.user_frame import USER, get_user, show_user, user_path
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.pages.render import PageView
from gateway.routing import RouteSet

TAB: Final = "/data"
PATH: Final = USER + TAB
KINDS: Final = ("public_metadata", "private_metadata", "user_metadata")


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users/{user_id}/data"""
    user = await visit.call(get_user(visit))
    return _data(visit, user)


def _data(
    visit: Visit, user: User, errors: Errors | None = None, values: dict[str, str] | None = None
) -> GatewayResponse:
    example = {"public_metadata": {"plan": "studio"}}
    return show_user(
        visit,
        "user_data.html",
        user,
        TAB,
        errors=errors,
        values=values,
        stored=_stored(user),
        api=curl(visit.managed.tenant, "PUT", f"/users/{user.id}", example),
    )


def _stored(user: User) -> dict[str, str]:
    return {
        kind: orjson.dumps(getattr(user, kind), option=orjson.OPT_INDENT_2).decode()
        for kind in KINDS
    }


async def save(visit: Visit) -> GatewayResponse:
    """POST …/users/{user_id}/data: stores what differs. A text that is no JSON object is refused with
    the place of the fault."""
    if not visit.may("users:write"):
        raise Forbidden
    user = await visit.call(get_user(visit))
    values = {kind: visit.fields.get(kind, "") for kind in KINDS}
    page = visit.open()
    if form_guard.is_outdated(visit, user):
        return _data(visit, user, _meanwhile(page, values, _stored(user)), values)
    errors = Errors()
    changes = {}
    for kind in KINDS:
        try:
            parsed = read_object(page.language, values[kind])
        except ValueError as error:
            errors[kind] = str(error)
            continue
        if parsed != getattr(user, kind):
            changes[kind] = parsed
    if errors:
        return _data(visit, user, errors, values)
    try:
        change = UpdateUser(user_id=user.id, changes=UserChanges(**changes))
        await visit.call(change, version=user.version)
    except ChangedMeanwhile:
        user = await visit.call(get_user(visit))
        return _data(visit, user, _meanwhile(page, values, _stored(user)), values)
    except (Problem, ValidationError) as error:
        return _data(visit, user, _refused(visit, error), values)
    return redirect(at(user_path(visit) + TAB, done="data"))


def _meanwhile(page: PageView, values: dict[str, str], stored: dict[str, str]) -> Errors:
    """Returns a sentence for each kind whose stored text differs from the form."""
    theirs = {
        kind: stored[kind]
        for kind in KINDS
        if "".join(values[kind].split()) != "".join(stored[kind].split())
    }
    return form_guard.changed_meanwhile(page.language, theirs)


def _refused(visit: Visit, error: Problem | ValidationError) -> Errors:
    """Returns the sentences about places in the metadata at the field of their kind."""
    if not isinstance(error, Invalid):
        return user_errors(visit, error)
    faults: list[FieldError] = error.extra.get("errors", [])
    errors = Errors()
    for kind in KINDS:
        places = [fault for fault in faults if fault["field"].split(".")[0] == kind]
        sentences = [
            f"{fault['field']}: {sentence(visit.open().language, fault)}" for fault in places
        ]
        if sentences:
            errors[kind] = " ".join(sentences)
    return errors or user_errors(visit, error)


routes = RouteSet((dashboard_page(PATH, show), dashboard_form(PATH, save)))
