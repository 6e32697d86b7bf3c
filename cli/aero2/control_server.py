"""The commands that a running `aero2 up` takes: it replaces processes of services, and runs further ones."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from aero2.control_socket import NAME, socket_path
from aero2.embedded.folder import Folder
from aero2.failures import CommandError
from aero2.program import Program
from aero2.service_processes import ServiceProcesses
from aero2.supervisor import Supervisor


@dataclass(eq=False)
class Client:
    """A command at the other end of the socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def show(self, text: str) -> None:
        """Shows a line, if the command is still there."""
        await self.send({"text": text})

    async def send(self, message: dict[str, Any]) -> None:
        """Sends a message, if the command is still there."""
        with contextlib.suppress(OSError):
            self.writer.write(json.dumps(message).encode() + b"\n")
            await self.writer.drain()

    async def until_left(self) -> None:
        """Returns when the command has ended, or asks for the end."""
        with contextlib.suppress(OSError):
            while await self.reader.read(100):
                pass


@dataclass(eq=False)
class ControlServer:
    """Takes commands for the processes of a data folder."""

    supervisor: Supervisor
    folder: Folder
    start_limit: float
    _restarting: bool = False
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a process is replaced or leaves, so that a leaving one gets no successor."""
    _reserved: set[str] = field(default_factory=set)
    """Names of replicas, also of those that start."""
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def processes(self) -> ServiceProcesses:
        return ServiceProcesses(self.supervisor)

    async def run(self) -> None:
        """Serves until cancelled. Without a socket there are no commands, and all else works."""
        path = self.folder.run / NAME
        try:
            path.unlink(missing_ok=True)
            with socket_path(path.parent) as short:
                server = await asyncio.start_unix_server(self._serve, short)
            path.chmod(0o600)
        except OSError as error:
            self.supervisor.report(f"aero2 restart and aero2 replica do not work ({error}).", "")
            await asyncio.Event().wait()
            return
        try:
            await server.serve_forever()
        finally:
            path.unlink(missing_ok=True)
            for task in self._tasks:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        client = Client(reader, writer)
        try:
            await self._answer(client)
        except asyncio.CancelledError:
            await client.send({"error": "aero2 up is stopping."})
        finally:
            writer.close()

    async def _answer(self, client: Client) -> None:
        """Reads a command and does it."""
        try:
            request = json.loads(await client.reader.readline())
            restart, names = (
                request["command"] == "restart",
                [str(each) for each in request["names"]],
            )
        except (ValueError, KeyError, TypeError):
            await client.send({"error": "aero2 up does not know this command. Is it older?"})
            return
        try:
            await (self._restart(client, names) if restart else self._replica(client, names[0]))
        except CommandError as error:
            await client.send({"error": str(error), "detail": error.detail})
        else:
            await client.send({"done": True})

    async def _restart(self, client: Client, names: list[str]) -> None:
        """Replaces processes one after another, without a request that fails. Goes on if the client leaves."""
        processes = self._processes(names)
        if self._restarting:
            raise CommandError("Another aero2 restart is at work.")
        self._restarting = True
        try:
            for name in processes:
                async with self._changing:
                    if name in self.processes.programs():  # otherwise a replica that has left
                        await self._replace(client, name)
        finally:
            self._restarting = False

    async def _replace(self, client: Client, name: str) -> None:
        before = self.supervisor.pids().get(name)
        await client.show(f"{name}: starting its successor …")
        await self.processes.replace(name, self.start_limit)
        after = self.supervisor.pids().get(name)
        await client.show(f"{name}: process {after} has taken the place of {before}.")

    def _processes(self, names: list[str]) -> list[str]:
        """Returns the processes with these names: of a service also its replicas. Raises CommandError."""
        running = self.processes.programs()
        found = dict.fromkeys(name for each in names for name in _matching(running, each))
        return list(found) if names else sorted(running)

    async def _replica(self, client: Client, service: str) -> None:
        """Runs a further process of a service for as long as the client stays."""
        running = self.processes.programs()
        model = running[_matching(running, service)[0]]
        base = service if service in running else model.name.rpartition("-")[0]
        taken = {*running, *self._reserved}
        number = next(n for n in itertools.count(1) if f"{base}-{n}" not in taken)
        name = f"{base}-{number}"
        self._reserved.add(name)
        try:
            await self._run_replica(client, model.replica(name, number))
        finally:
            self._reserved.discard(name)

    async def _run_replica(self, client: Client, program: Program) -> None:
        name = program.name
        await client.show(f"{name}: starting …")
        await self.processes.add(program, self.start_limit)
        pid = self.supervisor.pids().get(name)
        await client.show(f"{name}: process {pid} works beside the others. Ctrl-C ends it.")
        await client.until_left()
        await client.show(f"{name}: finishing its work …")
        async with self._changing:
            await self.processes.remove(name)
        await client.show(f"{name}: ended.")


def _matching(running: dict[str, Program], name: str) -> list[str]:
    """Returns the processes of a name. Raises CommandError if there is none."""
    found = [each for each in running if each == name or _is_replica(each, name)]
    if found:
        return sorted(found)
    for process, program in running.items():
        if name in program.services:
            base = process.partition("-")[0]
            raise CommandError(
                f"{name} runs in a process with other services: name {base} instead."
            )
    names = ", ".join(sorted(running))
    raise CommandError(f"{name} is no process of a service. There are: {names}.")


def _is_replica(process: str, name: str) -> bool:
    base, _, number = process.rpartition("-")
    return base == name and number.isdecimal()
