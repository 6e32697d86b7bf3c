"""The moment of a move: from here on the application lives in the other cluster."""

from __future__ import annotations

from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.moves.records import COPYING, MOVED, Move, set_phase
from common import audit
from common.context import system_context
from common.events.applications import ApplicationMoved
from common.homes import MAIN
from common.ids import DASHBOARD


async def flip(main: Connection, target: Connection, move: Move) -> None:
    """Gives the application its new home, in one transaction on `main`. Before that, the target has committed
    all rows durably, with the settings of now. Raises CommandError, and then nothing has changed."""
    async with main.transaction():
        row = await main.fetchrow(
            """
            SELECT a.slug, a.name, a.settings::text, a.created_at, a.updated_at
            FROM applications a JOIN application_moves m ON m.app_id = a.id
            WHERE a.id = $1 AND a.home = $2 AND a.state = 'active' AND m.phase = $3 FOR UPDATE
            """,
            move.app_id,
            move.source,
            COPYING,
        )
        if row is None:
            raise CommandError(f"{move.slug} was changed meanwhile, and stays where it is.")
        if move.target != MAIN:
            await target.execute(
                """
                UPDATE applications
                SET slug = $2, name = $3, settings = $4::text::jsonb, created_at = $5, updated_at = $6,
                    state = 'active', home = $7, home_state = 'settled'
                WHERE id = $1
                """,
                move.app_id,
                *row.values(),
                move.target,
            )
        await _register(main, move)
        await _record(main, move)


async def _register(main: Connection, move: Move) -> None:
    await main.execute(
        """
        UPDATE applications SET home = $2, home_state = 'settled', home_generation = home_generation + 1,
            at_home = true
        WHERE id = $1
        """,
        move.app_id,
        move.target,
    )
    await main.execute(
        "INSERT INTO clusters (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", move.target
    )
    await main.execute(
        "UPDATE audit_transfers SET home = $2 WHERE app_id = $1", move.app_id, move.target
    )
    await set_phase(main, move, MOVED)


async def _record(main: Connection, move: Move) -> None:
    """Writes the event as tenancy does, into the log of the Dashboard."""
    event = ApplicationMoved(
        application_id=move.app_id, slug=move.slug, from_home=move.source, to_home=move.target
    )
    await main.execute("SET LOCAL ROLE aero2_tenancy")
    await main.execute(f"SET LOCAL aero2.app_id = '{DASHBOARD}'")
    await audit.record(main, system_context(DASHBOARD), event)
