"""Users of all applications, for operators: the search for an address, and support views. Only on the
Dashboard's host."""

from __future__ import annotations

from common.contracts.base import Id
from common.contracts.support_views import (
    GetSupportView,
    OpenedSupportView,
    OpenSupportView,
    SupportView,
)
from common.contracts.user_search import LocatedUsers, SearchUsers
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import HostKind, RouteSet

router = NounRouter(prefix="/platform", tags=["platform"])


@router.post("/user-search", summary="Find the users of an address")
async def search_users(request: SearchUsers, ctx: SignedIn, bus: TheBus) -> LocatedUsers:
    """Returns the users with this exact address in all applications, at most 100, without their
    profiles. Every search is recorded before it runs: `users_searched` in the log of the Dashboard, also
    if nobody is found, and `user_located` in the log of each application with such a user. An operator
    can search 30 times an hour. Needs `platform:manage` and a session with a fresh sign-in."""
    return await bus.call(ctx, request)


@router.post("/support-views", status_code=201, summary="Open a support view")
async def open_support_view(
    request: OpenSupportView, ctx: SignedIn, bus: TheBus
) -> OpenedSupportView:
    """Lets you read the data of one user for 30 minutes, in this session only. The logs of the
    application and of the Dashboard get `support_view_opened` with your reason. Needs `platform:manage`
    and a session with a fresh sign-in."""
    return await bus.call(ctx, request)


@router.get("/support-views/{application_id}/{user_id}", summary="Get a support view")
async def get_support_view(
    application_id: Id, user_id: Id, ctx: SignedIn, bus: TheBus
) -> SupportView:
    """Returns the profile of the user without metadata, how they sign in, their latest sessions and
    events. Answers 404 `support_view_not_open` unless you have opened it in this session within the last
    30 minutes. Needs `platform:manage`."""
    return await bus.call(ctx, GetSupportView(application_id=application_id, user_id=user_id))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)
