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
from gateway.dashboard.light_replies import RoleChoices
from gateway.dashboard.organizations import PATH as ORGANIZATIONS
from gateway.dashboard.page_routes import DashboardHandler
from gateway.dashboard.problem_sentences import errors_in
from gateway.dashboard.user_reference import unknown_user
from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.pages.organization import ROLES as TEAM_ROLES

PATH: Final = f"{ORGANIZATIONS}/{{org_id}}"
TEAMS: Final = "/dashboard/teams"
TEAM: Final = f"{TEAMS}/{{org_id}}"
"""A developer's team. It is an organization of the Dashboard, so it has some of the same tabs."""
TABS: Final = (
    ("", N_("Profile")),
    ("/members", N_("Members")),
    ("/invitations", N_("Invitations")),
    ("/domains", N_("E-mail domains")),
    ("/sso", N_("Single sign-on")),
)
TEAM_TABS: Final = (*TABS[:3], ("/applications", N_("Applications")))
"""Path after that of the organization, and name. Only admins of a team see its invitations."""
NOTICES: Final = {
    "created": N_("Organization created."),
    "team": N_("Team created."),
    "exists": N_("This was already created, and there is no second one."),
    "saved": N_("Changes saved."),
    "role": N_("Role changed."),
    "added": N_("Member added."),
    "joined": N_("You're now a member of this team."),
    "removed": N_("Member removed."),
    "invited": N_("Invitation sent."),
    "revoked": N_("Invitation revoked."),
    "domain": N_("Domain added. Set its TXT record, then check it."),
    "verified": N_("Domain verified."),
    "domain_removed": N_("Domain removed."),
    "transferred": N_("Application transferred."),
}
BUILT_IN_ROLES: Final = ("admin", "member")
"""The roles of members in every application."""

TabPage = Callable[[Visit, Errors | None], Awaitable[GatewayResponse]]
"""Shows the page of a tab, with the errors of its form."""


def org_id_of(visit: Visit) -> str:
    return visit.parameters["org_id"]


def address_of(visit: Visit) -> str:
    """Returns the path of the organization's pages."""
    return f"{list_address(visit)}/{org_id_of(visit)}"


def list_address(visit: Visit) -> str:
    """Returns the path of the list: the organizations of the application, or the developer's teams."""
    return f"{visit.home}/organizations" if visit.application else TEAMS


def check_manages(visit: Visit) -> None:
    """Raises Forbidden if the developer may change no organization, or no team."""
    if not visit.may("organizations:write" if visit.application else "teams:write"):
        raise Forbidden


def manages(visit: Visit, organization: Organization) -> bool:
    """Returns whether to show what changes the organization. A team is changed by its admins."""
    if visit.application:
        return visit.may("organizations:write")
    return organization.role == "admin" and visit.may("teams:write")


def _tabs(visit: Visit, organization: Organization) -> list[tuple[str, str]]:
    if visit.application:
        return list(TABS)
    hidden = () if manages(visit, organization) else ("/invitations",)
    return [tab for tab in TEAM_TABS if tab[0] not in hidden]


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
        tabs=_tabs(visit, organization),
        list_path=list_address(visit),
        manages=manages(visit, organization),
        notice=visit.open().translate(sentence) if sentence and not errors else None,
        errors=errors,
        values=visit.fields if errors else {},
        api=_api(visit, organization, tab),
        **more,
    )


def _api(visit: Visit, organization: Organization, tab: str) -> str | None:
    """Returns the API call behind the page. A team has no secret key."""
    if visit.application is None:
        return None
    path = f"/organizations/{organization.id}{'' if tab == '/sso' else tab}"
    return curl(visit.managed.tenant, "GET", path)


async def member_roles(visit: Visit) -> dict[str, str]:
    """Returns the names of the roles of members, by id."""
    if visit.application is None:
        return {id: visit.open().translate(name) for id, name in TEAM_ROLES.items()}
    if not visit.may("roles:read"):
        return {role: role for role in BUILT_IN_ROLES}
    listed = await visit.read(ListRoles(kind="organization", limit=100), RoleChoices)
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
        check_manages(visit)
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
