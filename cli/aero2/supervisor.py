"""Keeps a set of processes running: starts them, restarts those that die or hang, and stops them all."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aero2.embedded.folder import Folder
from aero2.embedded.process import Register, spawn
from aero2.failures import CommandError
from aero2.fork_server import ForkServer, ForkServerEnded
from aero2.log_files import last_lines, rotate
from aero2.program import Heartbeat, Process, Program, RunningProgram, describe_exit
from aero2.start_wait import Report, StartWait

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 15.0
STEADY: Final = 30.0
"""Seconds of running after which a death begins a new series."""
GIVE_UP_STARTING: Final = 3
"""Deaths in a row, before a process is ready for the first time, that make the start fail."""
HUNG: Final = 60.0
"""Seconds without a heartbeat after which a process counts as hung. Longer than any outage of the database
that processes survive by themselves."""
STAGE_TIME: Final = 0.8
"""Seconds reserved for each stage that is still to be stopped."""
TAIL: Final = 15
"""Lines of a log in a report."""


@dataclass
class Supervisor:
    """The processes of one data folder."""

    folder: Folder
    report: Report
    forks: ForkServer | None = None
    """Starts the services; without it, and once it has ended, each runs its own command."""
    stopping: bool = False
    running: dict[str, RunningProgram] = field(default_factory=dict)
    """The processes by name."""
    passing: list[RunningProgram] = field(default_factory=list)
    """Processes that take the place of another one soon, and those that leave theirs."""

    async def open_forks(self) -> None:
        """Starts the fork server, if there is one."""
        if self.forks is not None:
            await self.forks.open()

    async def start(self, *programs: Program, within: float = 30.0) -> None:
        """Starts programs side by side. Returns when all are ready.

        Waits as long as one of them makes progress, since they wait for each other. Raises CommandError, with the
        end of its log, for the first that is not ready when all made no progress for `within` seconds, or
        that died several times.
        """
        group = [self.begin(program) for program in programs]
        self.running |= {each.name: each for each in group}
        await self.until_ready(group, within)

    def begin(self, program: Program) -> RunningProgram:
        """Starts a program, and starts it again when it ends, until it is abandoned."""
        each = RunningProgram(program)
        each.watcher = asyncio.create_task(self._keep(each), name=each.name)
        return each

    async def until_ready(self, group: list[RunningProgram], within: float) -> None:
        """Returns when all of a group are ready. Raises CommandError as `start` does."""
        await StartWait(group, within, self.log, self.tail, self.report).run()

    def log(self, name: str) -> Path:
        """Returns the log file of a program."""
        return self.folder.logs / f"{name}.log"

    def tail(self, name: str) -> str:
        """Returns the last lines of a program's log, each with the program's name before it."""
        return "\n".join(f"{name} | {line}" for line in last_lines(self.log(name), TAIL))

    def pids(self) -> dict[str, int]:
        """Returns the process of each program that runs now."""
        return {
            name: each.process.pid
            for name, each in self.running.items()
            if each.process is not None and each.alive
        }

    async def stop(self, within: float = 4.0) -> None:
        """Asks the processes to end, stage by stage, and kills those that have not ended in time. Time that
        one stage does not use is left to the next."""
        self.stopping = True
        everyone = [*self.running.values(), *self.passing]
        for each in everyone:
            each.abandon()
        stages = sorted({each.program.stage for each in everyone}, reverse=True)
        began = time.monotonic()
        for number, stage in enumerate(stages, start=1):
            deadline = began + within - STAGE_TIME * (len(stages) - number)
            now = [each for each in everyone if each.program.stage == stage]
            await asyncio.gather(*(each.end(deadline) for each in now))
        if self.forks is not None:
            await self.forks.close()
        Register(self.folder).clear()

    async def restart(self, name: str, within: float = 5.0) -> None:
        """Ends one process. Its watcher starts it again."""
        await self.running[name].end(time.monotonic() + within)

    async def reload(self, name: str, within: float = 5.0) -> None:
        """Ends one process because its code changed. Its watcher starts it again at once. A process
        that has died and waits for its next start does not wait any longer."""
        each = self.running[name]
        each.reload.set()
        await each.end(time.monotonic() + within)

    def kill(self) -> None:
        """Kills all processes, for a second Ctrl-C. The data survives, as it survives a power cut."""
        for each in [*self.running.values(), *self.passing]:
            each.send_signal(signal.SIGKILL)

    async def _keep(self, each: RunningProgram) -> None:
        """Runs a program again and again, until cancelled."""
        name = each.name
        while True:
            try:
                await self._spawn(each)
            except CommandError as refused:
                each.refused = refused
                return
            except Exception as error:  # whatever it is, the process must come back
                end = str(error)
            else:
                end = await self._wait_for_end(each)
            if self.stopping:
                return
            if each.reload.is_set():
                each.reload.clear()
                each.deaths = 0
                continue
            seconds = time.monotonic() - each.started
            each.deaths = 1 if seconds > STEADY else each.deaths + 1
            if not each.was_ready and each.deaths >= GIVE_UP_STARTING:
                each.refused = CommandError(
                    f"{name} does not start ({end}); its log is {self.log(name)}.",
                    detail=self.tail(name),
                )
                return
            pause = min(FIRST_PAUSE * 2 ** (each.deaths - 1), LONGEST_PAUSE)
            self.report(f"{name} ended ({end}); starting it again in {pause:g} s.", self.tail(name))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await each.reload.wait()
            each.reload.clear()

    async def _spawn(self, each: RunningProgram) -> None:
        program = each.program
        each.started = time.monotonic()
        if program.heartbeat is not None:
            program.heartbeat.unlink(missing_ok=True)
        if program.prepare is not None:
            await asyncio.to_thread(program.prepare)
        rotate(self.log(program.name))
        each.process = await self._forked(program) or await spawn(
            program.command,
            under=program.under,
            env=program.env,
            log=self.log(program.name),
            cwd=self.folder.root,
            stop_with=program.stop_with,
            sockets=program.sockets,
        )
        try:
            Register(self.folder).note(program.name, each.process.pid)
        except OSError as error:  # a full disk: the process runs; only a later start would miss it
            self.report(f"{program.name} is not in the register ({error}).", "")

    async def _forked(self, program: Program) -> Process | None:
        """Returns the process of services if the fork server has started it."""
        if self.forks is None or not program.services:
            return None
        with contextlib.suppress(ForkServerEnded):
            return await self.forks.start(program, self.log(program.name), self.folder.root)
        return None

    async def _wait_for_end(self, each: RunningProgram) -> str:
        """Returns how the process ended. Kills a process whose heartbeat file is not updated any
        more."""
        assert each.process is not None
        waiting = asyncio.create_task(each.process.wait())
        heartbeat = Heartbeat(each.program.heartbeat)
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=2)
                rotate(self.log(each.name))
                if not waiting.done() and each.was_ready and heartbeat.silence() > HUNG:
                    each.send_signal(signal.SIGKILL)
                    await waiting
                    return "no heartbeat"
            return describe_exit(waiting.result())
        finally:
            waiting.cancel()
