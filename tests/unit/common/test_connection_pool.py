"""The pool lends each connection to one caller at a time, in order, and loses none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.kit.virtual_time import VirtualLoop

from common.connection_pool import ConnectionPool
from common.pool_limits import PoolLimits

WITHIN = 2.0
"""Seconds that callers wait."""


@dataclass(eq=False)
class Connection:
    """A connection without a server."""

    lost: bool = False
    reason: str | None = None
    closed_well: bool = False

    def is_closed(self) -> bool:
        return self.lost

    def unfit(self) -> str | None:
        return self.reason

    def terminate(self) -> None:
        self.lose()

    def lose(self) -> None:
        """Ends the connection."""
        self.lost = True

    async def close(self) -> None:
        self.closed_well = not self.lost
        self.lost = True


@dataclass
class Server:
    """Accepts connections when the test says so, or at once."""

    at_once: bool = True
    error: Exception | None = None
    made: list[Connection] = field(default_factory=list)
    knocking: list[asyncio.Future[None]] = field(default_factory=list)

    async def connect(self) -> Connection:
        if not self.at_once:
            knock: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.knocking.append(knock)
            await knock
        if self.error is not None:
            raise self.error
        self.made.append(Connection())
        return self.made[-1]

    def open(self) -> list[Connection]:
        return [one for one in self.made if not one.lost]


@dataclass
class World:
    loop: VirtualLoop
    server: Server
    pool: ConnectionPool[Connection]

    def ask(self, within: float = WITHIN) -> asyncio.Task[Connection]:
        """A caller asks for a connection, and waits if there is none."""
        task = self.loop.create_task(self.pool.acquire(within))
        self.loop.settle()
        return task

    def acquire(self) -> Connection:
        return self.ask().result()


def start(loop: VirtualLoop, *, at_once: bool = True, **limits: float) -> World:
    server = Server()

    async def made() -> ConnectionPool[Connection]:
        pool = ConnectionPool(server.connect, PoolLimits(**limits))  # type: ignore[arg-type]
        await pool.open()
        return pool

    world = World(loop, server, loop.finish(made()))
    server.at_once = at_once
    return world


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.close()


def test_a_connection_is_used_again_and_made_only_when_all_are_lent(loop: VirtualLoop) -> None:
    """Ten uses one after the other need one connection; three at once need three."""
    world = start(loop, most=3)
    for _ in range(10):
        world.pool.release(world.acquire())
    assert len(world.server.made) == 1

    lent = [world.acquire() for _ in range(3)]
    assert len({id(one) for one in lent}) == 3
    assert world.pool.counts() == (3, 0, 3, 0)


def test_lending_and_returning_make_no_task(loop: VirtualLoop) -> None:
    """A free connection costs no task, no timer and no turn of the loop."""
    world = start(loop)
    tasks, timers = len(asyncio.all_tasks(loop)), len(loop.pending_timers())
    work = world.pool.acquire(WITHIN)
    with pytest.raises(StopIteration) as end:
        work.send(None)
    world.pool.release(end.value.value)

    assert (len(asyncio.all_tasks(loop)), len(loop.pending_timers())) == (tasks, timers)


def test_callers_are_served_in_the_order_in_which_they_came(loop: VirtualLoop) -> None:
    """A newcomer does not overtake, even if it asks right after a return."""
    world = start(loop, most=1)
    connection = world.acquire()
    waiting = [world.ask() for _ in range(3)]
    served = []
    for _ in range(3):
        world.pool.release(connection)
        waiting.append(world.loop.create_task(world.pool.acquire(WITHIN)))
        loop.settle()
        served.append([task.done() for task in waiting[:3]].count(True))
    assert served == [1, 2, 3]
    assert not waiting[3].done()


@pytest.mark.parametrize("cancelled", ["before", "after"])
def test_a_connection_that_a_cancelled_caller_just_got_goes_to_the_next(
    loop: VirtualLoop, cancelled: str
) -> None:
    """The connection is handed over and the caller is cancelled in the same turn."""
    world = start(loop, most=1)
    connection = world.acquire()
    first, second = world.ask(), world.ask()
    if cancelled == "before":
        first.cancel()
    world.pool.release(connection)
    first.cancel()
    loop.settle()

    assert first.cancelled()
    assert second.result() is connection
    assert world.pool.counts() == (1, 0, 1, 0)


def test_a_caller_that_left_leaves_no_gap(loop: VirtualLoop) -> None:
    """A cancelled caller, and one whose time is over, are passed over."""
    world = start(loop, most=1)
    connection = world.acquire()
    opening = world.pool.waits.callers
    impatient, leaving, patient = world.ask(within=1.0), world.ask(), world.ask()
    loop.advance(1.0)
    leaving.cancel()
    loop.settle()
    assert isinstance(impatient.exception(), TimeoutError)
    assert world.pool.counts().waiting == 1
    world.pool.release(connection)
    loop.settle()

    assert patient.result() is connection
    waits = world.pool.waits
    assert (waits.callers, waits.seconds, waits.timeouts) == (3 + opening, 3.0, 1)


def test_a_connection_that_is_opened_for_a_caller_who_leaves_is_kept(loop: VirtualLoop) -> None:
    """The next caller gets it."""
    world = start(loop, at_once=False, least=0, most=2)
    world.ask().cancel()
    loop.settle()
    world.server.knocking[0].set_result(None)
    loop.settle()

    assert world.pool.counts() == (0, 1, 2, 0)
    assert world.acquire() is world.server.made[0]


@pytest.mark.parametrize("fault", ["lost", "unfit"])
def test_a_connection_that_is_not_fit_is_replaced(loop: VirtualLoop, fault: str) -> None:
    """Broken, or returned inside a transaction: nobody gets it again, and the next caller gets a new
    one."""
    world = start(loop, most=1)
    connection = world.acquire()
    waiting = world.ask()
    connection.lost, connection.reason = fault == "lost", "a transaction is open"
    world.pool.release(connection)
    loop.settle()

    assert waiting.result() is not connection
    assert connection.lost
    assert world.pool.counts() == (1, 0, 1, 0)


def test_an_idle_connection_that_broke_is_not_lent(loop: VirtualLoop) -> None:
    """The server was restarted while nobody used the connection."""
    world = start(loop)
    world.server.made[0].lost = True

    assert world.pool.counts().idle == 0
    assert world.acquire() is world.server.made[1]


def test_a_second_return_is_refused(loop: VirtualLoop) -> None:
    """The connection may be another caller's by then."""
    world = start(loop)
    connection = world.acquire()
    world.pool.release(connection)

    with pytest.raises(asyncpg.InterfaceError):
        world.pool.release(connection)
    assert world.pool.counts().idle == 1


def test_each_caller_learns_that_the_server_is_away(loop: VirtualLoop) -> None:
    """Nobody waits until the time is over; afterwards the pool works again."""
    world = start(loop, least=0, most=2)
    world.server.error = ConnectionRefusedError()
    callers = [world.loop.create_task(world.pool.acquire(WITHIN)) for _ in range(5)]
    loop.turn(30)

    assert [type(task.exception()) for task in callers] == [ConnectionRefusedError] * 5
    world.server.error = None
    assert world.acquire() is world.server.made[0]


def test_a_server_that_takes_too_long_is_no_full_pool(loop: VirtualLoop) -> None:
    """TimeoutError means that all connections are used: this is another error."""
    world = start(loop, least=0)
    world.server.error = TimeoutError()

    assert isinstance(world.ask().exception(), ConnectionError)


def test_idle_connections_are_closed_except_the_least_number(loop: VirtualLoop) -> None:
    """Those that were used last stay."""
    world = start(loop, least=1, most=3, idle=300.0, age=1e6)
    lent = [world.acquire() for _ in range(3)]
    for connection in lent:
        world.pool.release(connection)
    loop.advance(250)
    world.pool.release(world.acquire())
    loop.advance(100)

    assert world.server.open() == [lent[2]]
    loop.advance(1000)
    assert world.server.open() == [lent[2]]


def test_old_connections_are_replaced(loop: VirtualLoop) -> None:
    """One that is always used ends at a return, an idle one without being asked for."""
    world = start(loop, least=1, most=2, age=1000.0, idle=1e6)
    busy, idle = world.acquire(), world.acquire()
    world.pool.release(idle)
    loop.advance(700)
    world.pool.release(world.acquire())
    assert not idle.lost
    loop.advance(350)
    assert idle.lost
    assert not busy.lost
    world.pool.release(busy)

    assert busy.lost
    loop.advance(60)
    assert len(world.server.open()) == 1


def test_closing_waits_for_those_who_have_a_connection(loop: VirtualLoop) -> None:
    """Nobody gets a new one, those who wait already are served, and all are closed in the end."""
    world = start(loop, most=1)
    connection = world.acquire()
    waiting = world.ask()
    closing = loop.create_task(world.pool.close(3.0))
    loop.settle()
    assert isinstance(world.ask().exception(), asyncpg.InterfaceError)
    world.pool.release(connection)
    loop.settle()
    assert not closing.done()
    world.pool.release(waiting.result())
    loop.settle()

    assert closing.done()
    assert connection.closed_well
    assert world.server.open() == []


def test_closing_ends_at_its_deadline(loop: VirtualLoop) -> None:
    """A statement that does not end does not keep the process; its return is harmless."""
    world = start(loop, most=1)
    connection = world.acquire()
    waiting = world.ask(within=60.0)
    closing = loop.create_task(world.pool.close(3.0))
    loop.advance(3.0)

    assert closing.done()
    assert connection.lost
    assert isinstance(waiting.exception(), asyncpg.InterfaceError)
    world.pool.release(connection)
    assert world.server.open() == []


def test_terminating_leaves_no_task_and_no_timer(loop: VirtualLoop) -> None:
    """Opening connections ends, too."""
    world = start(loop, at_once=False, most=3)
    world.acquire()
    waiting = world.ask()
    world.pool.terminate()
    loop.settle()

    assert isinstance(waiting.exception(), asyncpg.InterfaceError)
    assert asyncio.all_tasks(loop) == set()
    assert loop.pending_timers() == []
    assert world.server.open() == []


def test_a_pool_that_cannot_be_opened_says_why(loop: VirtualLoop) -> None:
    """The error is that of the connection."""
    server = Server(error=ConnectionRefusedError())

    async def attempt() -> None:
        await ConnectionPool(server.connect, PoolLimits()).open()

    with pytest.raises(ConnectionRefusedError):
        loop.finish(attempt())


class PoolMachine(RuleBasedStateMachine):
    """Callers come, wait, are cancelled and return connections in any state, while connections open,
    fail, break and grow old."""

    MOST = 3

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.world = start(self.loop, at_once=False, least=1, most=self.MOST, age=400.0)
        self.waiting: list[asyncio.Task[Connection]] = []
        """In the order in which they came."""
        self.lent: list[Connection] = []

    def _settle(self) -> None:
        """Sorts the callers whose wait has ended. Those who were served must be the first."""
        self.loop.settle()
        passed_over = False
        for task in list(self.waiting):
            if not task.done():
                passed_over = True
                continue
            self.waiting.remove(task)
            if not task.cancelled() and task.exception() is None:
                assert not passed_over, "a caller was overtaken"
                self.lent.append(task.result())

    @rule(count=st.integers(1, 3))
    def ask(self, count: int) -> None:
        for _ in range(count):
            self.waiting.append(self.loop.create_task(self.world.pool.acquire(WITHIN)))
        self._settle()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.waiting)).cancel()
        self._settle()

    @precondition(lambda self: self.lent)
    @rule(
        data=st.data(),
        state=st.sampled_from(["good", "good", "lost", "unfit"]),
        cancel_next=st.sampled_from(["no", "before", "after"]),
    )
    def release(self, data: st.DataObject, state: str, cancel_next: str) -> None:
        connection = data.draw(st.sampled_from(self.lent))
        self.lent.remove(connection)
        if state == "lost":
            connection.lose()
        connection.reason = "unfit" if state == "unfit" else None
        if cancel_next == "before" and self.waiting:
            self.waiting[0].cancel()
        self.world.pool.release(connection)
        if cancel_next == "after" and self.waiting:
            self.waiting[0].cancel()
        self._settle()

    @precondition(lambda self: self.world.server.knocking)
    @rule(data=st.data(), works=st.booleans())
    def server_answers(self, data: st.DataObject, works: bool) -> None:
        knock = data.draw(st.sampled_from(self.world.server.knocking))
        self.world.server.knocking.remove(knock)
        if not knock.done() and works:
            knock.set_result(None)
        elif not knock.done():
            knock.set_exception(ConnectionRefusedError())
        self._settle()

    @rule()
    def server_restarts(self) -> None:
        for connection in self.world.server.open():
            connection.lose()
        self._settle()

    @rule(seconds=st.sampled_from([0.5, 2.0, 31.0, 301.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.advance(seconds)
        self._settle()

    @invariant()
    def each_is_lent_once_and_none_is_lost(self) -> None:
        used, idle, most, waiting = self.world.pool.counts()
        assert len(set(map(id, self.lent))) == len(self.lent)
        assert len(self.world.server.open()) <= most == self.MOST
        assert waiting == len(self.waiting)
        assert used == len(self.lent)
        good = [one for one in self.world.server.open() if one not in self.lent]
        assert len(good) <= idle, "a connection got lost"

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """While somebody waits, no connection is idle, and the pool is full or grows."""
        used, idle, most, waiting = self.world.pool.counts()
        if waiting:
            opening = [one for one in self.world.server.knocking if not one.done()]
            assert idle == 0
            assert used + len(opening) == most or len(opening) >= waiting

    def teardown(self) -> None:
        """When all have returned what they have, all who wait are served, and closing ends."""
        self.world.server.at_once = True
        for knock in self.world.server.knocking:
            if not knock.done():
                knock.set_result(None)
        self._settle()
        while self.lent or self.waiting:
            before = len(self.lent) + len(self.waiting)
            self.world.pool.release(self.lent.pop())
            self._settle()
            assert len(self.lent) + len(self.waiting) < before
        closing = self.loop.create_task(self.world.pool.close(3.0))
        self.loop.settle()
        assert closing.done()
        assert self.world.server.open() == []
        assert asyncio.all_tasks(self.loop) == set()
        self.loop.close()


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
