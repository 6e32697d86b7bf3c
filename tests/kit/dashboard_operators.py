"""Fake services for the pages of operators: developers, teams, applications and users of all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.kit.developers import NOW, Developers, developers
from tests.kit.fake_services import FakeServices

from common import acr
from common.context import Context
from common.contracts.applications import ApplicationNotFound
from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.audit_log import AuditRecord
from common.contracts.base import Done, Request
from common.contracts.developers import (
    Developer,
    DeveloperState,
    DeveloperTeam,
    DeveloperTeams,
    GetDeveloper,
    GetDeveloperTeams,
    ListDevelopers,
)
from common.contracts.developers import (
    Developers as DeveloperPage,
)
from common.contracts.members import ListMembers, Member, Members
from common.contracts.organizations import (
    GetOrganization,
    ListOrganizations,
    Organization,
    OrganizationNotFound,
    Organizations,
)
from common.contracts.platform_applications import (
    ApplicationLabel,
    GetPlatformApplication,
    ListPlatformApplications,
    OwnerTeam,
    PlatformApplication,
    PlatformApplicationDetails,
    PlatformApplications,
)
from common.contracts.platform_settings import GetPlatformSettings, PlatformSettings
from common.contracts.profiles import User
from common.contracts.second_factors import SecondFactors
from common.contracts.sessions import SessionEntry
from common.contracts.support_views import (
    GetSupportView,
    OpenedSupportView,
    OpenSupportView,
    SupportView,
    SupportViewNotOpen,
)
from common.contracts.user_search import LocatedUser, LocatedUsers, SearchUsers
from common.contracts.users import DisableUser, EnableUser, UserNotFound
from common.ids import new_id
from common.problems import Problem

OPERATOR = (
    "platform:manage",
    "developers:read",
    "developers:write",
    "users:read",
    "users:write",
    "roles:write",
    "organizations:read",
    "apps:read",
    "apps:read:all",
)
"""Permissions in the Dashboard."""


@dataclass
class Operators:
    """One developer, one team and one application, with `text` as every name. `acts` are the calls that
    changed or recorded something, and `refusal` is raised by the next one."""

    people: Developers
    text: str = "Harbour"
    developer_id: str = field(default_factory=new_id)
    team_id: str = field(default_factory=new_id)
    application_id: str = field(default_factory=new_id)
    user_id: str = field(default_factory=new_id)
    is_operator: bool = False
    disabled: bool = False
    nobody: bool = False
    home: str = "main"
    opened: OpenSupportView | None = None
    next: str | None = None
    lists: list[Any] = field(default_factory=list)
    acts: list[Request[Any]] = field(default_factory=list)
    refusal: Problem | None = None

    def note(self, request: Request[Any]) -> None:
        """Records an act, or refuses it."""
        if self.refusal is not None:
            raise self.refusal
        self.acts.append(request)

    def application(self) -> PlatformApplication:
        return PlatformApplication(
            id=self.application_id,
            slug="shop",
            name=self.text,
            state="active",
            host="shop.localhost:8080",
            owner=OwnerTeam(id=self.team_id, slug="team", name=self.text),
            home=self.home,
            created_at=NOW,
        )

    def developer(self) -> Developer:
        return Developer(
            id=self.developer_id,
            email="mira@example.com",
            name=self.text,
            disabled=self.disabled,
            created_at=NOW,
        )

    def team(self) -> Organization:
        return Organization(
            id=self.team_id, slug="team", name=self.text, created_at=NOW, updated_at=NOW
        )


async def _developers(fakes: Operators, ctx: Context, request: ListDevelopers) -> DeveloperPage:
    fakes.lists.append(request)
    found = [] if fakes.nobody else [fakes.developer()]
    return DeveloperPage(developers=found, next=fakes.next)


async def _developer(fakes: Operators, ctx: Context, request: GetDeveloper) -> DeveloperState:
    if request.user_id != fakes.developer_id:
        raise UserNotFound
    return DeveloperState(**fakes.developer().model_dump(), is_operator=fakes.is_operator)


async def _teams(fakes: Operators, ctx: Context, request: GetDeveloperTeams) -> DeveloperTeams:
    team = DeveloperTeam(id=fakes.team_id, slug="team", name=fakes.text, role=fakes.text)
    return DeveloperTeams(teams=[team], applications=[fakes.application()])


async def _organizations(
    fakes: Operators, ctx: Context, request: ListOrganizations
) -> Organizations:
    fakes.lists.append(request)
    found = [] if fakes.nobody else [fakes.team()]
    return Organizations(organizations=found, next=fakes.next)


async def _organization(fakes: Operators, ctx: Context, request: GetOrganization) -> Organization:
    if request.org_id != fakes.team_id:
        raise OrganizationNotFound
    return fakes.team()


async def _members(fakes: Operators, ctx: Context, request: ListMembers) -> Members:
    one = Member(user_id=fakes.developer_id, name=fakes.text, role=fakes.text, created_at=NOW)
    return Members(members=[one], next=fakes.next)


async def _applications(
    fakes: Operators, ctx: Context, request: ListPlatformApplications
) -> PlatformApplications:
    fakes.lists.append(request)
    found = [] if fakes.nobody else [fakes.application()]
    return PlatformApplications(applications=found, next=fakes.next)


async def _application(
    fakes: Operators, ctx: Context, request: GetPlatformApplication
) -> PlatformApplicationDetails:
    if request.slug != "shop":
        raise ApplicationNotFound
    return PlatformApplicationDetails(
        **fakes.application().model_dump(), users=1000, has_more_users=True
    )


async def _settings(
    fakes: Operators, ctx: Context, request: GetPlatformSettings
) -> PlatformSettings:
    return PlatformSettings(applications_per_team=17)


async def _act(fakes: Operators, ctx: Context, request: Any) -> Done:
    fakes.note(request)
    return Done()


async def _state(fakes: Operators, ctx: Context, request: Any) -> User:
    fakes.note(request)
    return User(id=request.user_id, created_at=NOW, updated_at=NOW)


async def _search(fakes: Operators, ctx: Context, request: SearchUsers) -> LocatedUsers:
    fakes.note(request)
    if fakes.nobody:
        return LocatedUsers(users=[])
    label = ApplicationLabel(id=fakes.application_id, slug="shop", name=fakes.text)
    one = LocatedUser(application=label, user_id=fakes.user_id, state="disabled")
    return LocatedUsers(users=[one], has_more=True)


async def _open(fakes: Operators, ctx: Context, request: OpenSupportView) -> OpenedSupportView:
    fakes.note(request)
    if request.user_id != fakes.user_id:
        raise UserNotFound
    fakes.opened = request
    return OpenedSupportView(**request.model_dump(exclude={"reason"}), expires_at=NOW)


async def _view(fakes: Operators, ctx: Context, request: GetSupportView) -> SupportView:
    if fakes.opened is None or request.user_id != fakes.opened.user_id:
        raise SupportViewNotOpen
    session = SessionEntry(
        id=new_id(),
        device_name=fakes.text,
        place=fakes.text,
        idp_name=fakes.text,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        last_active_at=NOW,
    )
    return SupportView(
        **fakes.opened.model_dump(),
        expires_at=NOW,
        application=ApplicationLabel(id=fakes.application_id, slug="shop", name=fakes.text),
        user=User(id=fakes.user_id, name=fakes.text, created_at=NOW, updated_at=NOW),
        factors=SecondFactors(recovery_codes_left=3, devices=[]),
        providers=[fakes.text],
        sessions=[session],
        events=[AuditRecord(id=new_id(), event_type="login", event_data={}, created_at=NOW)],
    )


def operators(world: FakeServices, *permissions: str) -> Operators:
    """Registers the fake services. The one who is signed in by the cookie `t_dev` has shown two factors,
    and by default has the permissions of an operator."""
    people = developers(world, *(permissions or OPERATOR))
    people.session = people.session.model_copy(
        update={
            "acr": acr.TWO_FACTORS,
            "factor_times": {"password": int(time.time()), "totp": int(time.time())},
            "second_factors": ["totp"],
        }
    )
    dashboard = world.tenants["dashboard.localhost:8080"]
    world.sessions[dashboard.app_id, "t_dev"] = people.session
    fakes = Operators(people)
    world.bus.serve(
        fakes,
        {
            ListDevelopers: _developers,
            GetDeveloper: _developer,
            GetDeveloperTeams: _teams,
            ListOrganizations: _organizations,
            GetOrganization: _organization,
            ListMembers: _members,
            ListPlatformApplications: _applications,
            GetPlatformApplication: _application,
            DisableUser: _state,
            EnableUser: _state,
            AssignRole: _act,
            UnassignRole: _act,
            SearchUsers: _search,
            OpenSupportView: _open,
            GetSupportView: _view,
            GetPlatformSettings: _settings,
        },
    )
    return fakes
