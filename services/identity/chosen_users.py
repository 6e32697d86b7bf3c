"""The users that an act on many users is about: named by their ids, or found by a filter."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.user_batches import MOST_USERS, ChosenUsers, CountChanged, TooManyUsers
from common.contracts.users import UserFilter
from common.db import Db
from common.field_errors import field_error
from common.problems import Invalid
from identity.deps import Deps
from identity.queries.user_lists import Place
from identity.user_list import entries_of

TOLERANCE: Final = 0.05
"""How much the number of users may differ from what the caller saw."""


async def ids(deps: Deps, ctx: Context, request: ChosenUsers) -> list[str]:
    """Returns the ids of the users that the request is about, each once. Raises Invalid, TooManyUsers,
    CountChanged."""
    if request.user_ids is not None and request.filter is None:
        return list(dict.fromkeys(request.user_ids))
    if request.filter is None or request.user_ids is not None or request.count is None:
        raise Invalid(errors=[field_error("user_ids", "required")])
    async with deps.db.reader(ctx) as db:
        matching = await _matching_ids(db, ctx, request.filter)
    if len(matching) > MOST_USERS:
        raise TooManyUsers
    if not matching or abs(len(matching) - request.count) > TOLERANCE * request.count:
        raise CountChanged(count=len(matching))
    return matching


async def _matching_ids(db: Db, ctx: Context, filter: UserFilter) -> list[str]:
    """Returns the ids of all users who match, or one more than MOST_USERS of them."""
    found_ids: dict[str, None] = {}
    place: Place = (None, None)
    while True:
        limit = MOST_USERS + 1 - len(found_ids)
        listed = await entries_of(db, ctx, filter, place, limit=limit)
        found_ids.update(dict.fromkeys(entry.id for entry in listed.entries))
        if listed.end is None:
            return list(found_ids)
        place = (listed.end.key, listed.end.id)
