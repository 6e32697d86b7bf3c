"""A pool of database connections (docs/adr/0017).

Acquiring a free connection and returning it make no task and wait for nothing. Callers that have to
wait are served in the order in which they came.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Generic

import asyncpg

from common import logs
from common.db_errors import FAILURES
from common.pool_limits import PoolCounts, PoolLimits, PoolWaits
from common.pool_waiters import PoolWaiters
from common.poolable import C, PoolMember

log = logs.get(__name__)


class ConnectionPool(Generic[C]):
    """Lends connections. Each is lent to one caller at a time."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[C]],
        limits: PoolLimits,
        is_outdated: Callable[[], bool] = lambda: False,
    ) -> None:
        """`connect` opens a connection and prepares it for use. `is_outdated` is asked at each sweep, and
        says whether all connections must be replaced."""
        self.limits = limits
        self.waits = PoolWaits()
        self._connect = connect
        self._is_outdated = is_outdated
        self._loop = asyncio.get_running_loop()
        self._idle: list[PoolMember[C]] = []
        """The one that was used last is at the end, and is lent first. None while a caller waits."""
        self._lent: dict[C, PoolMember[C]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._waiters: PoolWaiters[C] = PoolWaiters(self._loop)
        self._closing = False
        self._closed = False
        self._emptied = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Opens the first connections. Raises what opening one raises."""
        try:
            for _ in range(self.limits.least):
                self._add(await self._connect())
        except BaseException:
            self.terminate()
            raise
        self._start_sweeping()

    async def open_if_possible(self) -> Exception | None:
        """Opens the first connection. If that fails, returns why; the next caller tries again."""
        try:
            self._add(await self._connect())
        except FAILURES as error:
            return error
        finally:
            self._start_sweeping()
        return None

    def _start_sweeping(self) -> None:
        self._sweeper = self._loop.call_later(self.limits.sweep, self._sweep)

    def connections(self) -> list[C]:
        """Returns all open connections, lent or not."""
        members = (*self._idle, *self._lent.values())
        return [one.connection for one in members if not one.connection.is_closed()]

    def counts(self) -> PoolCounts:
        """Returns the numbers of connections and of waiting callers."""
        idle = sum(not member.connection.is_closed() for member in self._idle)
        return PoolCounts(len(self._lent), idle, self.limits.most, len(self._waiters))

    async def acquire(self, within: float) -> C:
        """Lends a connection. If none is free and the pool may not grow, waits for one to be
        returned, `within` seconds at most. Raises TimeoutError, InterfaceError if the pool is closed, and what opening a connection
        raises.
        """
        if self._closing:
            raise asyncpg.InterfaceError("the pool is closed")
        while self._idle:
            member = self._idle.pop()
            if not member.connection.is_closed():
                self._lent[member.connection] = member
                return member.connection
            member.connection.terminate()  # frees what it still holds
        return await self._wait(within)

    def release(self, connection: C) -> None:
        """Takes a connection back and lends it to the next waiting caller. Closes it if it is not
        fit for another caller. Raises InterfaceError at a second return.
        """
        member = self._lent.pop(connection, None)
        if member is None:
            raise asyncpg.InterfaceError("the connection is not lent by this pool")
        self._take_back(member)

    async def close(self, within: float) -> None:
        """Lends no more connections, waits `within` seconds for those that are lent, and closes
        all."""
        self._closing = True
        self._stop_sweeping()
        try:
            async with asyncio.timeout(within):
                self._report_emptied()
                await self._emptied.wait()
                await asyncio.gather(*(member.connection.close() for member in self._idle))
        except FAILURES as error:
            log.info("pool closed by force", error=type(error).__name__, used=len(self._lent))
        finally:
            self.terminate()

    def terminate(self) -> None:
        """Closes all connections at once. Callers that wait for one get an InterfaceError."""
        self._closing = self._closed = True
        self._stop_sweeping()
        for task in self._opening:
            task.cancel()
        for member in (*self._idle, *self._lent.values()):
            member.connection.terminate()
        self._idle.clear()
        while len(self._waiters):
            self._waiters.refuse_next(asyncpg.InterfaceError("the pool is closed"))

    def drop_idle(self) -> None:
        """Closes the connections that nobody uses. The next callers get new ones."""
        for member in self._idle:
            member.connection.terminate()
        self._idle.clear()

    def expire(self) -> None:
        """Closes all connections: those that are lent at their return. The server that they lead to
        is not the right one any more."""
        self.drop_idle()
        for member in self._lent.values():
            member.expires = 0.0

    async def _wait(self, within: float) -> C:
        began = self._loop.time()
        waiter, timer = self._waiters.add(within)
        self._grow()
        try:
            return await waiter
        except TimeoutError:
            self.waits.timeouts += 1
            raise
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())  # lent at the moment of the cancellation
            raise
        finally:
            timer.cancel()
            self._waiters.remove(waiter)
            self.waits.callers += 1
            self.waits.seconds += self._loop.time() - began
            self._report_emptied()

    def _size(self) -> int:
        return len(self._idle) + len(self._lent) + len(self._opening)

    def _grow(self) -> None:
        """Opens connections for those who wait, as many as the pool may have."""
        while len(self._waiters) > len(self._opening) and self._size() < self.limits.most:
            self._open_one()

    def _open_one(self) -> None:
        task = self._loop.create_task(self._open_for_next(), name="database connection")
        self._opening.add(task)
        task.add_done_callback(self._opened)

    async def _open_for_next(self) -> None:
        """The caller that needs it does not open it itself: it may leave, or get another connection
        first."""
        try:
            connection = await self._connect()
        except TimeoutError:
            self._waiters.refuse_next(ConnectionError("connecting took too long"))
        except Exception as error:
            self._waiters.refuse_next(error)
        else:
            self._add(connection)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._grow_again()

    def _add(self, connection: C) -> None:
        lifetime = self.limits.age * random.uniform(0.8, 1.0)  # noqa: S311 - no secret
        self._lend_or_keep(PoolMember(connection, self._loop.time() + lifetime))

    def _take_back(self, member: PoolMember[C]) -> None:
        connection = member.connection
        if connection.is_closed():
            connection.terminate()  # frees what it still holds
            self._grow_again()
        elif self._closed or (reason := connection.unfit()) is None:
            self._lend_or_keep(member)
        else:
            log.info("connection dropped", reason=reason)
            connection.terminate()
            self._grow_again()

    def _lend_or_keep(self, member: PoolMember[C]) -> None:
        now = self._loop.time()
        if self._closed or now >= member.expires:
            member.connection.terminate()
            self._grow_again()
            return
        if (waiter := self._waiters.next()) is not None:
            self._lent[member.connection] = member
            waiter.set_result(member.connection)
            return
        member.idle_since = now
        self._idle.append(member)
        self._report_emptied()

    def _grow_again(self) -> None:
        """A place in the pool is free."""
        self._grow()
        self._report_emptied()

    def _report_emptied(self) -> None:
        if self._closing and not (self._lent or self._opening or len(self._waiters)):
            self._emptied.set()

    def _stop_sweeping(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _sweep(self) -> None:
        """Closes connections that are too old or were idle for too long, and opens the least
        number again."""
        if self._is_outdated():
            self.expire()
        now = self._loop.time()
        surplus = self._size() - self.limits.least
        kept = []
        for member in self._idle:  # those that were idle for longest come first
            too_long = surplus > 0 and now - member.idle_since >= self.limits.idle
            if member.connection.is_closed() or too_long or now >= member.expires:
                member.connection.terminate()
                surplus -= 1
            else:
                kept.append(member)
        self._idle = kept
        for _ in range(self._size(), self.limits.least):
            self._open_one()
        self._sweeper = self._loop.call_later(self.limits.sweep, self._sweep)
