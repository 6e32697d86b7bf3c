"""The search for the users of one address in all applications.

The order matters: an event says who searches and why before anything is read, and each application has
an event for its user before the operator learns of them.
"""

from __future__ import annotations

from common import audit
from common.address_keys import address_key
from common.context import Context
from common.contracts.platform_applications import LabelApplications
from common.contracts.user_search import MOST_FOUND, LocatedUser, LocatedUsers, SearchUsers
from common.db import rebind
from common.events.support import UserLocated, UsersSearched
from identity.caller_checks import inside, the_operator
from identity.deps import Deps
from identity.limits import SEARCH_BY_OPERATOR
from identity.queries import user_search
from identity.queries.user_search import AddressRow


async def search(deps: Deps, ctx: Context, request: SearchUsers) -> LocatedUsers:
    """Returns the users with the address. Raises RateLimited, Forbidden."""
    operator = the_operator(ctx)
    await deps.limits.count(ctx, (SEARCH_BY_OPERATOR, operator.id))
    address = address_key(request.email)
    event = UsersSearched(
        address_hash=deps.keys.hash("user_search", address), reason=request.reason
    )
    async with deps.db.transaction(ctx) as tx:
        await audit.record(tx, ctx, event)
    rows: list[AddressRow] = []
    for search_db in deps.search_db.everywhere():
        async with search_db.unbound_transaction() as db:
            rows += await user_search.by_address(db, address=address, limit=MOST_FOUND + 1)
    located = await _labelled(deps, ctx, rows[:MOST_FOUND])
    await _record(deps, ctx, located, request.reason)
    return LocatedUsers(users=located, has_more=len(rows) > MOST_FOUND)


async def _record(deps: Deps, ctx: Context, users: list[LocatedUser], reason: str) -> None:
    """Records each user in the log of their application, all or none."""
    async with deps.db.transaction(ctx) as tx:
        for user in users:
            await rebind(tx, user.application.id)
            event = UserLocated(user_id=user.user_id, reason=reason)
            of_application = inside(ctx, user.application.id, user.application.home)
            await audit.record(tx, of_application, event, user_id=user.user_id)


async def _labelled(deps: Deps, ctx: Context, rows: list[AddressRow]) -> list[LocatedUser]:
    """Returns the users with the names of their applications. Those of an application that was deleted
    meanwhile are left out, and nothing is recorded about them: nobody could read or delete it."""
    if not rows:
        return []
    call = LabelApplications(application_ids=[row.app_id for row in rows])
    labels = await deps.bus.call(ctx.as_system(), call)
    by_id = {label.id: label for label in labels.applications}
    return [
        LocatedUser(
            application=by_id[row.app_id],
            user_id=row.id,
            state="disabled" if row.disabled else "active",
            email_verified=row.email_verified,
            guest=row.guest,
        )
        for row in rows
        if row.app_id in by_id
    ]
