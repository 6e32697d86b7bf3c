"""The list of users: filters, search and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.address_keys import search_keys
from common.context import Context
from common.contracts.users import ListUsers, UserFilter, Users
from common.db import Db
from identity.deps import Deps
from identity.queries import team_users, user_lists, users
from identity.queries.user_lists import STRETCH, Place, StretchEnd, UserListEntry
from identity.user_details import visible_teams
from identity.user_import import fitting_rows

MOST_WORDS: Final = 6
"""Words of a search that count, apart from the first: each costs a lookup per row."""
MOST_LOOKED_UP: Final = 1_000
"""Users that one page of a search looks up, if few of them match."""
MOST_STRETCHES: Final = 8
"""Stretches of the index that one page of a search reads. It is more than the users need: at the end of a
list, many entries are further words of users who came before."""


async def page(deps: Deps, ctx: Context, request: ListUsers) -> Users:
    """Returns one page: the newest first, or for a search by the word that matched.

    A search looks at a bounded number of users, so a page can be shorter than the limit, or empty,
    and have a next one.
    """
    kind = f"users:{request.search}:{request.disabled}:{request.email_verified}"
    key, id = deps.cursors.read(ctx.app_id, kind, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        listed = await entries_of(db, ctx, request, (key, id), limit=request.limit + 1)
        ids = [entry.id for entry in listed.entries]
        user_by_id = {user.id: user for user in await users.of_ids(db, app_id=ctx.app_id, ids=ids)}
    keys = {entry.id: entry.key for entry in listed.entries}
    rows, next = deps.cursors.page(
        ctx.app_id,
        kind,
        [user_by_id[id] for id in ids if id in user_by_id],
        request.limit,
        key=lambda user: (keys[user.id], user.id),
        fit=fitting_rows,
    )
    if next is None and listed.end is not None:
        next = deps.cursors.make(ctx.app_id, kind, listed.end.key, listed.end.id)
    return Users(users=rows, next=next)


@dataclass(frozen=True)
class ListedUsers:
    """The users of a page. `end` is where a search stopped, if it has not looked at all users."""

    entries: list[UserListEntry]
    end: UserListEntry | None = None


async def entries_of(
    db: Db, ctx: Context, request: UserFilter, place: Place, *, limit: int
) -> ListedUsers:
    """Returns the users who match, from a place in the list on."""
    if visible_teams(ctx) is None and request.search and request.search.strip():
        return await _matching(db, ctx.app_id, request, place, limit=limit)
    return ListedUsers(await _unsearched(db, ctx, request, place, limit=limit))


async def _unsearched(
    db: Db, ctx: Context, request: UserFilter, place: Place, *, limit: int
) -> list[UserListEntry]:
    """Returns members of the caller's teams, or users by the filters alone."""
    app_id, teams = ctx.app_id, visible_teams(ctx)
    if teams is not None:
        return await team_users.of_teams(
            db,
            app_id=app_id,
            teams=teams,
            words=await searched_words(db, request.search),
            disabled=request.disabled,
            email_verified=request.email_verified,
            before=place,
            limit=limit,
        )
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
    db: Db, app_id: str, request: UserFilter, place: Place, *, limit: int
) -> ListedUsers:
    """Returns users by words, stretch after stretch until the page is full or enough was read."""
    word, others = await first_word(db, app_id, request.search, place[0])
    matches: list[UserListEntry] = []
    end: StretchEnd | None = None
    looked_up = 0
    # If all users of a stretch match, most of it would be read for nothing.
    is_checked = others or request.disabled is not None or request.email_verified is not None
    entries = STRETCH if is_checked else min(2 * limit, STRETCH)
    for _ in range(MOST_STRETCHES if word else 0):
        matches += await user_lists.matching(
            db,
            app_id=app_id,
            word=word,
            others=others,
            disabled=request.disabled,
            email_verified=request.email_verified,
            after=place,
            entries=entries,
            limit=limit - len(matches),
        )
        if len(matches) == limit:
            return ListedUsers(matches)
        end = await user_lists.stretch_end(
            db, app_id=app_id, word=word, after=place, entries=entries
        )
        if end is None or end.is_last:
            return ListedUsers(matches)
        place, entries = (end.key, end.id), STRETCH
        looked_up += end.users
        if looked_up >= MOST_LOOKED_UP:
            break
    return ListedUsers(matches, end)


async def first_word(
    db: Db, app_id: str, search: str | None, key: str | None = None
) -> tuple[str, list[str]]:
    """Returns the word that the search walks along, and those that are only checked. It is the rarest,
    or on later pages, with the `key` of their place, the same one again. It is empty if there is
    no word."""
    words = await searched_words(db, search)
    # A word that another one begins with says nothing more, and only one can lead to a key.
    words = [word for word in words if not any(_is_beginning(word, other) for other in words)]
    if not words:
        return "", []
    if key is not None:
        first = next((word for word in words if key.startswith(word)), words[0])
    elif len(words) > 1:
        first = await user_lists.rarest(db, app_id=app_id, words=words)
    else:
        first = words[0]
    return first, [word for word in words if word != first]


def _is_beginning(word: str, other: str) -> bool:
    return word != other and other.startswith(word)


async def searched_words(db: Db, search: str | None) -> list[str]:
    """Returns what a user's words must begin with: the key of an address, and words of names. At most
    MOST_WORDS and one more, the longest: the others would only be checked."""
    words = (search or "").split()
    addresses = {search_keys(word)[1] for word in words if "@" in word}
    names = " ".join(word for word in words if "@" not in word)
    keys = [*await user_lists.name_keys(db, text=names), *addresses]
    keys.sort(key=lambda word: ("@" in word, len(word)), reverse=True)
    return keys[: MOST_WORDS + 1]
