"""A request for a page of the Dashboard, with everything that its handler needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final, TypeVar

from common.conditions import ABSENT
from common.context import Context
from common.contracts.base import Contract, Request
from common.reply_reading import read_reply
from gateway.auth.managed_application import ManagedApplication
from gateway.dashboard import rooms
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.pages.fields import Fields
from gateway.pages.render import PageView, open_page
from gateway.pages.viewer_zone import zone_of
from gateway.state import Gateway, SignedInUser

R = TypeVar("R", bound=Contract)
C = TypeVar("C", bound=Contract)
HOME: Final = "/dashboard"
APPLICATIONS: Final = f"{HOME}/applications"
PLATFORM: Final = f"{HOME}/platform"
HTMX: Final = b"hx-request"
HTMX_TYPE: Final = b"hx-request-type"
"""`partial` if the answer replaces a part of the page that is shown."""


@dataclass(frozen=True)
class Visit:
    """A signed-in developer asks for a page, or posts a form. `parameters` are those of the path. With
    `application`, the page is about that application. With `of_platform`, it is one for operators."""

    gateway: Gateway
    request: GatewayRequest
    user: SignedInUser
    fields: Fields
    parameters: dict[str, str]
    application: ManagedApplication | None = None
    of_platform: bool = False

    @property
    def ctx(self) -> Context:
        """The Context in the application of the page, else in the Dashboard."""
        return self.application.ctx if self.application else self.team_ctx

    @property
    def team_ctx(self) -> Context:
        """The Context in the Dashboard, where teams and applications are managed."""
        return self.request.context(self.user.caller)

    @property
    def managed(self) -> ManagedApplication:
        """The application of the page, for pages that have one in their path."""
        assert self.application is not None
        return self.application

    @property
    def home(self) -> str:
        """The path of the application's pages, else of the platform's, else of the Dashboard's."""
        if self.application is None:
            return PLATFORM if self.of_platform else HOME
        return f"{APPLICATIONS}/{self.application.tenant.slug}"

    def in_application(self, application: ManagedApplication) -> Visit:
        """Returns the request as one for a page of this application."""
        return replace(self, application=application)

    @property
    def zone(self) -> tzinfo:
        """The time zone in which the developer reads times and days."""
        return zone_of(self.request, self.user.session.zoneinfo)

    async def call_dashboard(self, call: Request[R], *, version: str | None = None) -> R:
        """Calls a service as this developer, in the Dashboard."""
        return await self._call(self.team_ctx, call, version)

    async def call(self, call: Request[R], *, version: str | None = None) -> R:
        """Calls a service as this developer, in the application of the page. With `version`, that
        of what the developer saw, a change raises ChangedMeanwhile if the object has another one.
        An empty version says that there was no such object."""
        return await self._call(self.ctx, call, version)

    async def read(self, call: Request[Any], reply: type[C]) -> C:
        """Calls a service like `call`, and reads only the fields of `reply` from what it answers."""
        return read_reply(reply, await self.gateway.bus.raw(self.ctx, call))

    async def _call(self, ctx: Context, call: Request[R], version: str | None) -> R:
        if version is not None:
            ctx = ctx.with_condition((f'"{version}"' if version else ABSENT,))
        return await self.gateway.bus.call(ctx, call)

    def may(self, permission: str) -> bool:
        """Returns whether to show what needs this permission. The services decide."""
        return self.ctx.caller.may(permission)

    def may_in_dashboard(self, permission: str) -> bool:
        """Returns the same for what belongs to the team, like deleting an application."""
        return self.user.caller.may(permission)

    @property
    def by_htmx(self) -> bool:
        return HTMX in self.request.headers

    @property
    def partial(self) -> bool:
        """Whether the answer replaces a part of the page."""
        return self.request.header(HTMX_TYPE) == "partial"

    def open(self) -> PageView:
        """Returns the page, in the developer's language."""
        page = open_page(self.gateway, self.request, self.user, away=False)
        page.icons = "dashboard-icons.svg"
        return page

    def show(
        self, template: str, status: int | None = None, *, part: str | None = None, **more: Any
    ) -> GatewayResponse:
        """Renders a page. With `part`, that template is the part that htmx replaces, and a partial
        request gets it alone."""
        page = self.open()
        name = part if part and self.partial else template
        response = page.show(
            f"dashboard/{name}",
            status,
            visit=self,
            application=self.application.tenant if self.application else None,
            home=self.home,
            rooms=self._rooms(),
            **more,
        )
        response.headers.append((b"vary", HTMX_TYPE))
        return response

    def _rooms(self) -> list[rooms.RoomGroup]:
        if self.application is None:
            return rooms.platform_rooms_of(self.user.caller)
        return rooms.rooms_of(self.may)
