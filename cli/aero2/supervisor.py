"""Keeps a set of processes running: starts them, restarts what dies or hangs, stops them all."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aero2.embedded.folder import Folder
from aero2.embedded.process import Register, spawn
from aero2.failures import Refused
from aero2.patience import Patience, progress

POLL: Final = 0.05
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 15.0
STEADY: Final = 30.0
"""Seconds of running after which a death is news again, not the next of a series."""
GIVE_UP_STARTING: Final = 3
"""Deaths in a row before the first time it is ready that make the start fail."""
HUNG: Final = 60.0
"""Seconds without a heartbeat after which a process is taken for hung. Longer than any outage of
the database that processes survive by themselves."""
LAST_WORDS: Final = 0.8
"""Seconds kept for each stage that is still to be stopped."""
LOG_LIMIT: Final = 32 * 1024 * 1024
TAIL: Final = 15

Report = Callable[[str, str], None]
"""Told of what happens to a process: a sentence and the end of its log."""


Ready = Callable[[], Awaitable[bool]]


async def _always() -> bool:
    return True


@dataclass(frozen=True)
class Program:
    """One process. `prepare` runs before each of its starts, in a thread; `under` is the command
    before the command (another account); `heartbeat` is a file it touches while it is well."""

    name: str
    command: list[str]
    env: dict[str, str]
    ready: Ready = _always
    prepare: Callable[[], None] | None = None
    under: list[str] = field(default_factory=list)
    heartbeat: Path | None = None
    stop_with: int = signal.SIGTERM
    sockets: tuple[socket.socket, ...] = ()
    """Open in the process under the same numbers."""
    stage: int = 0
    """Higher stages are stopped before lower ones: first who asks, last who is asked."""


@dataclass
class _Running:
    program: Program
    process: asyncio.subprocess.Process | None = None
    started: float = 0.0
    was_ready: bool = False
    deaths: int = 0
    refused: Refused | None = None
    """Why it will not be started again."""
    watcher: asyncio.Task[None] | None = None
    reload: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: its next end is meant, and it is started again at once."""


@dataclass
class Supervisor:
    folder: Folder
    report: Report
    stopping: bool = False
    _all: dict[str, _Running] = field(default_factory=dict)

    async def start(self, *programs: Program, within: float = 30.0) -> None:
        """Start them side by side; returns when all are ready.

        Raises Refused, with the end of its log, for the first that makes no progress for `within`
        seconds before it is ready.
        """
        fresh = [_Running(program) for program in programs]
        for each in fresh:
            self._all[each.program.name] = each
            each.watcher = asyncio.create_task(self._keep(each), name=each.program.name)
        waits = [asyncio.create_task(self._until_ready(each, within)) for each in fresh]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()

    def log(self, name: str) -> Path:
        return self.folder.logs / f"{name}.log"

    def pids(self) -> dict[str, int]:
        """The process of each program that runs now."""
        return {
            name: each.process.pid
            for name, each in self._all.items()
            if each.process is not None and each.process.returncode is None
        }

    async def stop(self, within: float = 4.0) -> None:
        """SIGTERM (or its like) stage by stage, SIGKILL for what has not ended in time. What one
        stage does not use is left to the next."""
        self.stopping = True
        for each in self._all.values():
            if each.watcher is not None:
                each.watcher.cancel()
        stages = sorted({each.program.stage for each in self._all.values()}, reverse=True)
        began = time.monotonic()
        for number, stage in enumerate(stages, start=1):
            ends = began + within - LAST_WORDS * (len(stages) - number)
            now = [each for each in self._all.values() if each.program.stage == stage]
            await asyncio.gather(*(self._end(each, ends) for each in now))
        Register(self.folder).clear()

    async def restart(self, name: str, within: float = 5.0) -> None:
        """End one process; its keeper starts it again."""
        await self._end(self._all[name], time.monotonic() + within)

    async def reload(self, name: str, within: float = 5.0) -> None:
        """Ends one process because its code changed; its keeper starts it again at once. A process
        that has died and waits for its next start does not wait any longer."""
        each = self._all[name]
        each.reload.set()
        await self._end(each, time.monotonic() + within)

    def kill(self) -> None:
        """At once, for a second Ctrl-C. The data survives, as it would a power cut."""
        for each in self._all.values():
            _signal(each, signal.SIGKILL)

    async def _keep(self, each: _Running) -> None:
        """Run it, and again, until cancelled."""
        name = each.program.name
        while True:
            try:
                await self._spawn(each)
            except Refused as refused:
                each.refused = refused
                return
            except Exception as error:  # whatever it is, the process must come back
                code = str(error)
            else:
                code = await self._ended(each)
            if self.stopping:
                return
            if each.reload.is_set():
                each.reload.clear()
                each.deaths = 0
                continue
            ran = time.monotonic() - each.started
            each.deaths = 1 if ran > STEADY else each.deaths + 1
            if not each.was_ready and each.deaths >= GIVE_UP_STARTING:
                each.refused = Refused(
                    f"{name} does not start ({code}); its log is {self.log(name)}.",
                    detail=self.tail(name),
                )
                return
            pause = min(FIRST_PAUSE * 2 ** (each.deaths - 1), LONGEST_PAUSE)
            self.report(
                f"{name} ended ({code}); starting it again in {pause:g} s.", self.tail(name)
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await each.reload.wait()
            each.reload.clear()

    async def _spawn(self, each: _Running) -> None:
        program = each.program
        each.started = time.monotonic()
        if program.heartbeat is not None:
            program.heartbeat.unlink(missing_ok=True)
        if program.prepare is not None:
            await asyncio.to_thread(program.prepare)
        _rotate(self.log(program.name))
        each.process = await spawn(
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
        except OSError as error:  # a full disk: it runs, and we have it; only a successor does not
            self.report(f"{program.name} is not in the register ({error}).", "")

    async def _ended(self, each: _Running) -> str:
        """How it ended. A process whose heartbeat stands still is ended by us."""
        assert each.process is not None
        waiting = asyncio.create_task(each.process.wait())
        pulse = _Pulse(each.program.heartbeat)
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=2)
                _rotate(self.log(each.program.name))
                if not waiting.done() and each.was_ready and pulse.silence() > HUNG:
                    _signal(each, signal.SIGKILL)
                    await waiting
                    return "no heartbeat"
            return _how(waiting.result())
        finally:
            waiting.cancel()

    async def _until_ready(self, each: _Running, within: float) -> None:
        name = each.program.name
        patience = Patience(within, time.monotonic())
        while (reason := patience.over(time.monotonic())) is None:
            if each.refused is not None:
                raise each.refused
            alive = each.process is not None and each.process.returncode is None
            if alive and await each.program.ready():
                each.was_ready = True
                return
            if patience.due(now := time.monotonic()):
                patience.note(now, self._progress(each, now))
            await asyncio.sleep(POLL)
        raise Refused(
            f"{name} {reason} (--start-limit); its log is {self.log(name)}.",
            detail=self.tail(name),
        )

    def _progress(self, each: _Running, now: float) -> object:
        """Preparing a start is progress; how long that may take, it knows itself."""
        if each.process is None:
            return now
        return progress(each.process.pid, self.log(each.program.name))

    async def _end(self, each: _Running, ends: float) -> None:
        process = each.process
        if process is None or process.returncode is not None:
            return
        _signal(each, each.program.stop_with)
        try:
            async with asyncio.timeout(max(ends - time.monotonic(), 0.1)):
                await process.wait()
        except TimeoutError:
            _signal(each, signal.SIGKILL)
            await process.wait()

    def tail(self, name: str) -> str:
        """The last lines of a program's log, each with its name before it."""
        try:
            with self.log(name).open("rb") as file:
                file.seek(max(file.seek(0, 2) - 8192, 0))
                lines = file.read().decode(errors="replace").splitlines()[-TAIL:]
        except FileNotFoundError:
            return ""
        return "\n".join(f"{name} | {line}" for line in lines)


def beats(heartbeat: Path, *, fresh: float = 10.0) -> Ready:
    """Ready is: the heartbeat is there. `_spawn` removes the one of the process before."""

    async def ready() -> bool:
        try:
            return time.time() - heartbeat.stat().st_mtime < fresh
        except FileNotFoundError:
            return False

    return ready


@dataclass
class _Pulse:
    """How long a heartbeat has stood still, by a clock that sleeps when the machine does."""

    file: Path | None
    seen: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def silence(self) -> float:
        if self.file is None:
            return 0.0
        with contextlib.suppress(FileNotFoundError):
            touched = self.file.stat().st_mtime
            if touched != self.seen:
                self.seen, self.since = touched, time.monotonic()
        return time.monotonic() - self.since


def _signal(each: _Running, what: int) -> None:
    if each.process is not None and each.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            each.process.send_signal(what)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _rotate(log: Path) -> None:
    """Keep the last LOG_LIMIT bytes beside it. The process appends, so emptying the file is safe."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            with log.open("r+b") as file:
                file.truncate(0)
