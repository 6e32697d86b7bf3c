"""A new user whom a developer creates, without a message to them."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from common.contracts.profiles import Profile
from common.contracts.users import CreateUser
from common.problems import Forbidden, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.user_errors import user_errors
from gateway.dashboard.users import USERS
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import FIELDS, Errors
from gateway.routing import RouteSet

PATH: Final = f"{USERS}/new"
KEPT: Final = ("email", "name", "email_verified")
"""Fields that an answer with errors fills again. A password is typed again."""


async def ask(visit: Visit) -> GatewayResponse:
    """GET …/users/new"""
    if not visit.may("users:write"):
        raise Forbidden
    return _ask(visit)


def _ask(visit: Visit, errors: Errors | None = None) -> GatewayResponse:
    example = {"email": "ada@example.com", "profile": {"name": "Ada Lovelace"}}
    return visit.show(
        "new_user.html",
        errors=errors,
        values={name: visit.fields.text(name) for name in KEPT if name in visit.fields},
        api=curl(visit.managed.tenant, "POST", "/users", example),
    )


async def create(visit: Visit) -> GatewayResponse:
    """POST …/users/new: leads to the new user. The API allows users without an address, this form does
    not."""
    if not visit.may("users:write"):
        raise Forbidden
    email = visit.fields.text_or_none("email")
    if email is None:
        sentence = FIELDS["email"]
        return _ask(visit, Errors(email=visit.open().translate(sentence)))
    try:
        call = CreateUser(
            email=email,
            email_verified=visit.fields.text("email_verified") == "1",
            password=visit.fields.get("password") or None,
            profile=Profile(name=visit.fields.text_or_none("name")),
        )
        user = await visit.call(call)
    except (Problem, ValidationError) as error:
        return _ask(visit, user_errors(visit, error))
    return redirect(at(f"{visit.home}/users/{user.id}", done="created"))


routes = RouteSet((dashboard_page(PATH, ask), dashboard_form(PATH, create)))
