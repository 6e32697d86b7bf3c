"""The users of an application: the list with its search and filters."""

from __future__ import annotations

import asyncio
from typing import Final

from common.contracts.users import CountUsers, ListUsers
from common.message_ids import N_
from gateway.dashboard.api_call import curl
from gateway.dashboard.page_routes import dashboard_page
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse
from gateway.pages.fields import at
from gateway.routing import RouteSet

USERS: Final = f"{APPLICATIONS}/{{slug}}/users"
STATES: Final = {"active": False, "disabled": True}
"""The filter `state`, as the API's `disabled`."""
ADDRESSES: Final = {"verified": True, "unverified": False}
"""The filter `address`, as the API's `email_verified`."""
LONGEST_SEARCH: Final = 200
"""Characters."""
NOTHING_CHOSEN: Final = "nothing"
NOTICES: Final = {
    "deleted": N_("User deleted."),
    NOTHING_CHOSEN: N_("No user is chosen. Tick users first, then choose what to do."),
}


async def show(visit: Visit) -> GatewayResponse:
    """GET …/users: the newest first. Filters stand in the address."""
    filters = read_filters(visit)
    query = ListUsers(
        search=filters["q"],
        disabled=STATES.get(filters["state"] or ""),
        email_verified=ADDRESSES.get(filters["address"] or ""),
        cursor=visit.fields.text_or_none("cursor"),
    )
    path = f"{visit.home}/users"
    counting = CountUsers(**query.model_dump(include=set(CountUsers.model_fields)))
    listed, total = await asyncio.gather(visit.call(query), visit.call(counting))
    return visit.show(
        "users.html",
        part="users_list.html",
        users=listed.users,
        total=total,
        filters=filters,
        link=lambda **changes: at(path, **{**filters, **changes}),
        more=at(path, **filters, cursor=listed.next) if listed.next else None,
        first_page=query.cursor is None,
        notice=_notice(visit),
        api=curl(visit.managed.tenant, "GET", at("/users", **_parameters(query))),
        create_call=curl(visit.managed.tenant, "POST", "/users", {"email": "ada@example.com"}),
    )


def _notice(visit: Visit) -> str | None:
    sentence = NOTICES.get(visit.fields.text("done"))
    return visit.open().translate(sentence) if sentence else None


def read_filters(visit: Visit) -> dict[str, str | None]:
    """Returns the filters of the address. Values that do not exist are left out."""
    state, address = visit.fields.text("state"), visit.fields.text("address")
    return {
        "q": visit.fields.text("q")[:LONGEST_SEARCH] or None,
        "state": state if state in STATES else None,
        "address": address if address in ADDRESSES else None,
    }


def _parameters(query: ListUsers) -> dict[str, str | None]:
    """Returns the filters as the API names them."""
    texts = {None: None, True: "true", False: "false"}
    return {
        "search": query.search,
        "disabled": texts[query.disabled],
        "email_verified": texts[query.email_verified],
    }


routes = RouteSet((dashboard_page(USERS, show),))
