"""The list of users: filters, search and pages."""

from __future__ import annotations

from typing import Final

from common.address_keys import search_keys
from common.context import Context
from common.contracts.users import ListUsers, UserFilter, Users
from common.db import Db
from identity.deps import Deps
from identity.queries import user_lists, users
from identity.user_details import visible_teams
from identity.user_import import fitting_rows

MOST_WORDS: Final = 6
"""Words of a search that count, apart from the first: each costs a lookup per row."""


async def page(deps: Deps, ctx: Context, request: ListUsers) -> Users:
    """Returns one page: the newest first, or for a search by the word that matched."""
    kind = f"users:{request.search}:{request.disabled}:{request.email_verified}"
    key, id = deps.cursors.read(ctx.app_id, kind, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        entries = await entries_of(db, ctx, request, (key, id), limit=request.limit + 1)
        ids = [entry.id for entry in entries]
        user_by_id = {user.id: user for user in await users.of_ids(db, app_id=ctx.app_id, ids=ids)}
    keys = {entry.id: entry.key for entry in entries}
    rows, next = deps.cursors.page(
        ctx.app_id,
        kind,
        [user_by_id[id] for id in ids if id in user_by_id],
        request.limit,
        key=lambda user: (keys[user.id], user.id),
        fit=fitting_rows,
    )
    return Users(users=rows, next=next)


async def entries_of(
    db: Db, ctx: Context, request: UserFilter, place: user_lists.Place, *, limit: int
) -> list[user_lists.UserListEntry]:
    """Returns the users who match, from a place in the list on."""
    teams = visible_teams(ctx)
    if teams is not None:
        return await user_lists.of_teams(
            db,
            app_id=ctx.app_id,
            teams=teams,
            words=await searched_words(db, request.search),
            disabled=request.disabled,
            email_verified=request.email_verified,
            before=place,
            limit=limit,
        )
    app_id = ctx.app_id
    if request.search and request.search.strip():
        return await _matching(db, app_id, request, place, limit=limit)
    if request.disabled:
        return await user_lists.disabled(
            db, app_id=app_id, email_verified=request.email_verified, before=place, limit=limit
        )
    if request.email_verified is False:
        return await user_lists.unverified(
            db, app_id=app_id, disabled=request.disabled, before=place, limit=limit
        )
    return await user_lists.newest(
        db,
        app_id=app_id,
        disabled=request.disabled,
        email_verified=request.email_verified,
        before=place,
        limit=limit,
    )


async def _matching(
    db: Db, app_id: str, request: UserFilter, place: user_lists.Place, *, limit: int
) -> list[user_lists.UserListEntry]:
    words = await searched_words(db, request.search)
    if not words:
        return []
    return await user_lists.matching(
        db,
        app_id=app_id,
        word=words[0],
        others=words[1:],
        disabled=request.disabled,
        email_verified=request.email_verified,
        after=place,
        limit=limit,
    )


async def searched_words(db: Db, search: str | None) -> list[str]:
    """Returns what a user's words must begin with: the key of an address, and words of names. The
    word that is probably the rarest comes first, and at most MOST_WORDS others follow."""
    words = (search or "").split()
    addresses = {search_keys(word)[1] for word in words if "@" in word}
    names = " ".join(word for word in words if "@" not in word)
    keys = [*await user_lists.name_keys(db, text=names), *addresses]
    # An address is the rarest word, then the longest: the others are only checked.
    keys.sort(key=lambda word: ("@" in word, len(word)), reverse=True)
    return keys[: MOST_WORDS + 1]
