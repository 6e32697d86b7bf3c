"""How many users match a filter: exact while that is cheap, otherwise an estimate."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.users import CountUsers, UserCount
from common.db import Db
from identity.deps import Deps
from identity.queries import team_users, user_counts
from identity.user_details import visible_teams
from identity.user_list import first_word, searched_words

EXACT: Final = 1_000
"""Users up to which every count is exact."""
MOST_ROWS: Final = 5_000
"""Rows that are read at most to apply a filter that no index has."""


async def count(deps: Deps, ctx: Context, request: CountUsers) -> UserCount:
    """Counts the users that match."""
    async with deps.db.reader(ctx) as db:
        teams = visible_teams(ctx)
        if teams is not None:
            return await _of_teams(db, ctx.app_id, request, teams)
        sample, limit = await _sample(db, ctx.app_id, request)
        if sample.seen < limit:
            return UserCount(count=sample.matching, relation="exact")
        if request.search and request.search.strip():
            return UserCount(count=sample.matching, relation="at_least")
        estimated = await user_counts.estimate(
            db,
            app_id=ctx.app_id,
            disabled=request.disabled,
            email_verified=request.email_verified,
        )
    # The statistics may be old, or not exist yet.
    return UserCount(count=_rounded(max(estimated, sample.matching)), relation="estimate")


async def _sample(db: Db, app_id: str, request: CountUsers) -> tuple[user_counts.Sample, int]:
    """Returns what was read, and how much would have been at most."""
    is_disabled, verified = request.disabled, request.email_verified
    if request.search and request.search.strip():
        return await _searched(db, app_id, request), EXACT + 1
    if is_disabled:
        limit = EXACT + 1 if verified is None else MOST_ROWS
        return (
            await user_counts.disabled(db, app_id=app_id, email_verified=verified, limit=limit),
            limit,
        )
    if verified is False:
        limit = EXACT + 1 if is_disabled is None else MOST_ROWS
        return (
            await user_counts.unverified(db, app_id=app_id, disabled=is_disabled, limit=limit),
            limit,
        )
    limit = EXACT + 1 if is_disabled is None and verified is None else MOST_ROWS
    return (
        await user_counts.newest(
            db, app_id=app_id, disabled=is_disabled, email_verified=verified, limit=limit
        ),
        limit,
    )


async def _searched(db: Db, app_id: str, request: CountUsers) -> user_counts.Sample:
    word, others = await first_word(db, app_id, request.search)
    if not word:
        return user_counts.Sample(0, 0)
    if not others and request.disabled is None and request.email_verified is None:
        return await user_counts.with_word(db, app_id=app_id, word=word, limit=EXACT + 1)
    return await user_counts.with_words(
        db,
        app_id=app_id,
        word=word,
        others=others,
        disabled=request.disabled,
        email_verified=request.email_verified,
        limit=EXACT + 1,
    )


async def _of_teams(db: Db, app_id: str, request: CountUsers, teams: list[str]) -> UserCount:
    """Counts the members of a few teams."""
    members = await team_users.of_teams(
        db,
        app_id=app_id,
        teams=teams,
        words=await searched_words(db, request.search),
        disabled=request.disabled,
        email_verified=request.email_verified,
        before=(None, None),
        limit=EXACT + 1,
    )
    if len(members) > EXACT:
        return UserCount(count=EXACT, relation="at_least")
    return UserCount(count=len(members), relation="exact")


def _rounded(count: int) -> int:
    """Returns a number whose digits do not promise more than an estimate knows."""
    return round(count, -2)
