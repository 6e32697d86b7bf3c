"""The steps of a move. Each may be repeated, so that a move that was killed goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from aero2.app_tables import AppTable, app_tables
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.moves import checks, fences, leftovers, records, replication, rows
from aero2.moves.clusters import LOST
from aero2.moves.flip import flip
from aero2.moves.records import Move
from common.homes import MAIN

SAID_EVERY: Final = 5.0
"""Seconds between two lines of progress."""
NEAR: Final = 1024 * 1024
"""Bytes of the source's log that the target may lack when the fence closes."""
CATCH_UP: Final = 300.0
"""Seconds for the target to come that near."""
BUSY: Final = 30.0
"""Seconds that the application may answer nobody. After that, it stays where it was."""


@dataclass
class Mover:
    """A move with its connections, by cluster."""

    move: Move
    urls: dict[str, str] = field(repr=False)
    clusters: Mapping[str, Connection]
    announce: Callable[[str], Awaitable[None]]
    """Tells all processes that the application has changed."""
    report: Callable[[str], None]
    busy: float = BUSY
    patience: float = leftovers.PATIENCE
    _tables: list[AppTable] = field(default_factory=list)

    @property
    def main(self) -> Connection:
        """The registry."""
        return self.clusters[MAIN]

    @property
    def source(self) -> Connection:
        """Where the application lives."""
        return self.clusters[self.move.source]

    @property
    def target(self) -> Connection:
        """Where it will."""
        return self.clusters[self.move.target]

    async def run(self) -> None:
        """Moves the application, or goes on where a run before has stopped. Raises CommandError."""
        self._tables = await app_tables(self.source)
        if self.move.phase == records.COPYING:
            await self._copy()
            await self._change_home()
        await self._finish()

    async def _copy(self) -> None:
        """Copies the rows, unless a copy is there that only has to catch up."""
        timeline = await records.get_timeline(self.main, self.move)
        if await replication.is_usable(self.source, self.target, self.move, timeline):
            self.report("going on with the copy that was begun")
        else:
            await self._begin_copy()
        await self._wait_for_copy()

    async def _begin_copy(self) -> None:
        await self._clear()
        tables = rows.moved(self._tables)
        await checks.refuse_unready(self.source, self.target, self.move, tables)
        timeline = await replication.timeline_of(self.target)
        await records.set_timeline(self.main, self.move, timeline)
        await fences.open_source(self.source, self.move)
        await replication.publish(self.source, self.move, tables)
        await replication.make_slot(self.urls, self.source, self.move)
        await replication.subscribe(self.target, self.move, self.urls[self.move.source])

    async def _clear(self) -> None:
        """Deletes what a run before has left at the target."""
        if await records.home_of(self.main, self.move) != self.move.source:
            raise CommandError(f"{self.move.slug} does not live in {self.move.source} any more.")
        await fences.close_target(self.target, self.move)
        await fences.lift(self.source, self.move)
        await replication.unsubscribe(self.target, self.move)
        await replication.unpublish(self.source, self.move)
        await rows.delete(self.target, self.move, self._tables, self.report)

    async def _wait_for_copy(self) -> None:
        """Waits for the first copy, and until the target is near."""
        said = time.monotonic()
        while True:
            state = await replication.copy_state(self.target, self.move)
            if state.tables and state.ready == state.tables:
                break
            await replication.refuse_broken(self.source, self.target, self.move)
            if time.monotonic() - said > SAID_EVERY:
                said = time.monotonic()
                more = f", {state.rows:,} rows of the next" if state.rows else ""
                self.report(f"copied {state.ready} of {state.tables} tables{more}")
            await asyncio.sleep(0.05)
        since = said = time.monotonic()
        while (behind := await replication.bytes_behind(self.source, self.move)) > NEAR:
            await replication.refuse_broken(self.source, self.target, self.move)
            if time.monotonic() - since > CATCH_UP:
                raise CommandError(
                    f"{self.move.target} stays {behind // NEAR} MB of the log behind {self.move.source}: it "
                    "applies more slowly than the source writes. Try again when there is less load."
                )
            if time.monotonic() - said > SAID_EVERY:
                said = time.monotonic()
                self.report(f"catching up: {behind // NEAR} MB of the log behind")
            await asyncio.sleep(0.1)
        self.report("copied; the target follows the source")

    async def _change_home(self) -> None:
        """Closes the application, waits for the last changes, compares, and gives it its new home. If anything
        is not as it should be, it stays where it is, and is opened again."""
        sql = rows.statement(self.move, rows.moved(self._tables))
        # Reads everything once before: then it is in memory. Meanwhile the figures differ.
        await asyncio.gather(rows.figures(self.source, sql), rows.figures(self.target, sql))
        await fences.refuse_unaware(self.source, self.move)
        since = time.monotonic()
        try:
            async with asyncio.timeout(self.busy):
                await fences.close_source(self.source, self.move)
                await fences.wait_for_mark(self.source, self.target, self.move)
                count = await rows.compare(self.source, self.target, sql)
                await fences.refuse_unaware(self.source, self.move)
            await flip(self.main, self.target, self.move)
        except BaseException as error:
            await self._reopen()
            if isinstance(error, TimeoutError):
                raise CommandError(
                    f"{self.move.slug} stays in {self.move.source}: the last changes and the comparison took "
                    f"longer than {self.busy:g} s (--busy-at-most). The copy follows; run the same command again."
                ) from None
            raise
        await fences.forget(self.target, self.move)
        await self.announce(self.move.app_id)
        busy_ms = round((time.monotonic() - since) * 1000)
        await records.set_busy(self.main, self.move, busy_ms)
        self.report(f"{count:,} rows are alike; {self.move.slug} was busy for {busy_ms} ms")

    async def _reopen(self) -> None:
        """Opens the application at its old home, unless it has the new one."""
        try:
            async with asyncio.timeout(fences.OLD):
                if await records.home_of(self.main, self.move) == self.move.source:
                    await fences.lift(self.source, self.move)
        except (*LOST, asyncpg.PostgresError):
            self.report(
                f"{self.move.slug} answers nobody until the same command, or one with --abort, has run again"
            )

    async def _finish(self) -> None:
        """Opens the new home to jobs, and deletes what is left at the old one. All of this is forward only."""
        move = self.move
        # Waits until a standby has the new home, too: a COMMIT that was cancelled did not.
        await records.set_phase(self.main, move, records.MOVED)
        await fences.forget(self.target, move)
        await self.announce(move.app_id)
        await fences.hide_source(self.source, move)
        await replication.unsubscribe(self.target, move)
        await replication.unpublish(self.source, move)
        await fences.forget(self.target, move)  # without the row that the source has sent
        deleted = await rows.delete(self.source, move, self._tables, self.report)
        self.report(f"deleted {deleted:,} rows in {move.source}")
        await leftovers.wait_until_sent(self.source, move, self.patience)
        await leftovers.carry_failed_mails(self.source, self.target, move)
        await leftovers.delete_placeholder(self.source, move, move.source)
        await fences.forget(self.source, move)
        await records.forget(self.main, move)
        await self.announce(move.app_id)
