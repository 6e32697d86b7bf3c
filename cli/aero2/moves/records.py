"""The record of a move on `main`: the application in the registry, and how far the move has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aero2.failures import CommandError
from aero2.migration_steps import Connection

COPYING: Final = "copying"
ABORTING: Final = "aborting"
MOVED: Final = "moved"


@dataclass(frozen=True)
class Move:
    """A move of one application. The clusters' names are those of its home and of the one to be."""

    app_id: str
    slug: str
    source: str
    target: str
    phase: str = COPYING

    @property
    def name(self) -> str:
        """Returns the name of its publication, slot and subscription."""
        return f"aero2_move_{self.app_id.replace('-', '')}"


@dataclass(frozen=True)
class RegisteredApplication:
    """An application as the registry has it."""

    id: str
    slug: str
    home: str
    state: str
    is_dashboard: bool


async def find_application(main: Connection, slug: str) -> RegisteredApplication:
    """Returns the application of a slug. Raises CommandError."""
    row = await main.fetchrow(
        "SELECT id::text, slug, home, state, is_dashboard FROM applications WHERE slug = $1", slug
    )
    if row is None:
        raise CommandError(f"There is no application {slug}. `aero2 apps list` shows all.")
    return RegisteredApplication(**row)


async def find_move(main: Connection) -> Move | None:
    """Returns the move that has begun and is not complete, or None. There is one at most."""
    row = await main.fetchrow(
        """
        SELECT m.app_id::text, a.slug, m.source, m.target, m.phase
        FROM application_moves m JOIN applications a ON a.id = m.app_id
        """
    )
    return Move(**row) if row else None


async def begin(main: Connection, move: Move) -> None:
    """Records the move, from when on the application cannot be deleted. Raises CommandError for one that is
    being created or deleted."""
    async with main.transaction():
        state = await main.fetchval(
            "SELECT state FROM applications WHERE id = $1 AND home = $2 FOR UPDATE",
            move.app_id,
            move.source,
        )
        if state != "active":
            raise CommandError(f"{move.slug} is not active: it is {state or 'gone'}.")
        await main.execute(
            "INSERT INTO application_moves (app_id, source, target) VALUES ($1, $2, $3)",
            move.app_id,
            move.source,
            move.target,
        )


async def set_phase(main: Connection, move: Move, phase: str) -> None:
    """Records the phase."""
    await main.execute(
        "UPDATE application_moves SET phase = $2 WHERE app_id = $1", move.app_id, phase
    )


async def set_busy(main: Connection, move: Move, milliseconds: int) -> None:
    """Records for how long the application answered nobody."""
    await main.execute(
        "UPDATE application_moves SET busy_ms = $2 WHERE app_id = $1", move.app_id, milliseconds
    )


async def get_timeline(main: Connection, move: Move) -> int | None:
    """Returns the target's timeline when the copy began; None if it has not."""
    timeline: int | None = await main.fetchval(
        "SELECT timeline FROM application_moves WHERE app_id = $1", move.app_id
    )
    return timeline


async def set_timeline(main: Connection, move: Move, timeline: int | None) -> None:
    """Records the target's timeline."""
    await main.execute(
        "UPDATE application_moves SET timeline = $2 WHERE app_id = $1", move.app_id, timeline
    )


async def forget(main: Connection, move: Move) -> None:
    """Deletes the record of a move that is complete, or undone. Forgets a cluster where nobody lives any more."""
    async with main.transaction():
        await main.execute("DELETE FROM application_moves WHERE app_id = $1", move.app_id)
        await main.execute(
            """
            DELETE FROM clusters c WHERE NOT c.is_this
              AND NOT EXISTS (SELECT FROM applications a WHERE a.home = c.name)
            """
        )


async def home_of(main: Connection, move: Move) -> str:
    """Returns where the application lives. Raises CommandError if it is gone."""
    home: str | None = await main.fetchval(
        "SELECT home FROM applications WHERE id = $1", move.app_id
    )
    if home is None:
        raise CommandError(f"{move.slug} is gone.")
    return home
