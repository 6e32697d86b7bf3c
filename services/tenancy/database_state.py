"""Handles the state of the database, for operators."""

from __future__ import annotations

from dataclasses import asdict

from common.context import Context
from common.contracts.database_state import DatabaseState, GetDatabaseState
from tenancy import application_access
from tenancy.deps import Deps
from tenancy.queries import database_state


async def get(deps: Deps, ctx: Context, _: GetDatabaseState) -> DatabaseState:
    """Returns the size and the connections of the database. Raises Forbidden outside the Dashboard."""
    application_access.check_dashboard(ctx)
    async with deps.db.reader(ctx) as db:
        row = await database_state.get(db)
    return DatabaseState(**asdict(row))
