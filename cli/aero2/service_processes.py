"""Changes the processes of services while the platform runs: a successor for one, or a further one."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aero2.program import Program, RunningProgram
from aero2.supervisor import Supervisor

DRAIN: Final = 75.0
"""Seconds in which a process finishes its work: the longest time limit of a contract, and some."""


@dataclass(frozen=True)
class ServiceProcesses:
    """The processes of services that a supervisor keeps running."""

    supervisor: Supervisor

    def programs(self) -> dict[str, Program]:
        """Returns the programs that run services, by name."""
        running = self.supervisor.running.items()
        return {name: each.program for name, each in running if each.program.services}

    async def replace(self, name: str, within: float) -> None:
        """Starts a successor of a process. When it is ready, lets the process finish its work and end. Raises
        CommandError if the successor does not become ready; then the process stays."""
        before = self.supervisor.running[name]
        await self._add(before.program.successor(), within)
        await self._drain(before)

    async def add(self, program: Program, within: float) -> None:
        """Starts a further process. Raises CommandError if it does not become ready."""
        await self._add(program, within)

    async def remove(self, name: str) -> None:
        """Lets a process finish its work and end."""
        await self._drain(self.supervisor.running.pop(name))

    async def _add(self, program: Program, within: float) -> None:
        """Starts a process, which gets the place of its name when it is ready. Ends it if it does not become
        ready."""
        each = self.supervisor.begin(program)
        async with self._passing(each):
            try:
                await self.supervisor.until_ready([each], within)
            except BaseException:
                each.abandon()
                each.send_signal(signal.SIGKILL)
                raise
            self.supervisor.running[each.name] = each

    async def _drain(self, each: RunningProgram) -> None:
        each.abandon()
        async with self._passing(each):
            await each.end(time.monotonic() + DRAIN, signal.SIGTERM)

    @contextlib.asynccontextmanager
    async def _passing(self, each: RunningProgram) -> AsyncIterator[None]:
        """Tells the supervisor of a process without a settled place, so that it ends with the others. Knows
        it further if we are cancelled and it still runs."""
        passing = self.supervisor.passing
        passing.append(each)
        try:
            yield
        finally:
            if not each.alive or self.supervisor.running.get(each.name) is each:
                passing.remove(each)
