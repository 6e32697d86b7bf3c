"""The common parts of the pages about one organization: its tabs, and how their forms act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.base import Request
from common.contracts.organizations import Organization
from common.contracts.roles import ListRoles, RoleNotFound
from common.contracts.users import UserNotFound
from common.message_ids import N_
from common.problems import Forbidden, NotFound, Problem
from gateway.dashboard.api_call import curl
from gateway.dashboard.organizations import PATH as ORGANIZATIONS
from gateway.dashboard.page_routes import DashboardHandler
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.user_reference import unknown_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors

PATH: Final = f"{ORGANIZATIONS}/{{org_id}}"
NOTICES: Final = {
    "created": N_("Organization created."),
    "saved": N_("Changes saved."),
    "role": N_("Role changed."),
    "added": N_("Member added."),
    "removed": N_("Member removed."),
    "invited": N_("Invitation sent."),
    "revoked": N_("Invitation revoked."),
    "domain": N_("Domain added. Set its TXT record, then check it."),
    "verified": N_("Domain verified."),
    "domain_removed": N_("Domain removed."),
}
BUILT_IN_ROLES: Final = ("admin", "member")
"""The roles of members in every application."""

TabPage = Callable[[Visit, Errors | None], Awaitable[GatewayResponse]]
"""Shows the page of a tab, with the errors of its form."""


def org_id_of(visit: Visit) -> str:
    return visit.parameters["org_id"]


def address_of(visit: Visit) -> str:
    """Returns the path of the organization's pages."""
    return f"{visit.home}/organizations/{org_id_of(visit)}"


def show_tab(
    visit: Visit,
    template: str,
    organization: Organization,
    *,
    tab: str = "",
    errors: Errors | None = None,
    **more: Any,
) -> GatewayResponse:
    """Renders the page of a tab. `tab` follows the path of the organization."""
    sentence = NOTICES.get(visit.fields.text("done"))
    return visit.show(
        template,
        organization=organization,
        base=address_of(visit),
        tab=tab,
        manages=visit.may("organizations:write"),
        notice=visit.open().translate(sentence) if sentence and not errors else None,
        errors=errors,
        values=visit.fields if errors else {},
        api=curl(visit.managed.tenant, "GET", f"/organizations/{organization.id}{tab}"),
        **more,
    )


async def member_roles(visit: Visit) -> dict[str, str]:
    """Returns the names of the roles of members, by id."""
    if not visit.may("roles:read"):
        return {role: role for role in BUILT_IN_ROLES}
    listed = await visit.call(ListRoles(kind="organization", limit=100))
    return {role.id: role.name for role in listed.roles}


def tab_page(page: TabPage) -> DashboardHandler:
    """Returns the handler of the page of a tab."""

    async def show(visit: Visit) -> GatewayResponse:
        return await page(visit, None)

    show.__module__, show.__qualname__ = page.__module__, page.__qualname__
    return show


def tab_form(
    request_of: Callable[[Visit], Request[Any] | Awaitable[Request[Any]]],
    *,
    page: TabPage,
    tab: str,
    done: str,
) -> DashboardHandler:
    """Returns the handler of a form: it sends the request made of the fields, then shows the tab again.
    A thing of the path that does not exist is a missing page."""

    async def act(visit: Visit) -> GatewayResponse:
        if not visit.may("organizations:write"):
            raise Forbidden
        language = visit.open().language
        try:
            request = request_of(visit)
            await visit.call(await request if isinstance(request, Awaitable) else request)
        except UserNotFound:
            return await page(visit, unknown_user(language, "user"))
        except (Problem, ValidationError) as error:
            if isinstance(error, NotFound) and not isinstance(error, RoleNotFound):
                raise
            return await page(visit, errors_in(visit, error))
        return redirect(at(f"{address_of(visit)}{tab}", done=done))

    act.__module__, act.__qualname__ = request_of.__module__, request_of.__qualname__
    return act
