"""What clients sent and what came back, and whether the answers can all be true.

history = History()
operation = history.invoke("users", Act.WRITE, email, PRESENT)
operation.ok()                          # or fail(): certainly no effect; or info(): nobody knows
history.violations()                    # [] if nothing acknowledged is lost, doubled or undone

The rules are those of Jepsen (https://jepsen.io/consistency): an operation takes effect at one moment between
its call and its answer. One whose outcome is unknown may take effect at any later moment, or never.
"""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

ABSENT: Final = None
"""What a key has before its first write, and after it was taken or ended."""
PRESENT: Final = "present"
CERTAIN: Final = frozenset({"busy", "outdated"})
"""Codes of answers with a 5xx status that mean: nothing was done. Any other 5xx does not say that (ADR 22)."""


class Act(StrEnum):
    """What an operation does with its key."""

    WRITE = "write"
    """Gives the key a value."""
    READ = "read"
    """Sees the value of the key. A credential that is used is read, too."""
    TAKE = "take"
    """Uses up what may be used once: a code, a refresh token. `result` is what the winner gets."""
    END = "end"
    """Revokes or deletes, for ever."""
    ASK = "ask"
    """Only asks. The answer is counted, and compared with nothing."""


class Outcome(StrEnum):
    """How an operation ended."""

    OK = "ok"
    FAIL = "fail"
    """It had no effect."""
    INFO = "info"
    """Its effect is unknown."""


class ViolationKind(StrEnum):
    """What is wrong with a history."""

    LOST = "acknowledged and lost"
    REVIVED = "used or revoked, and alive again"
    TWO_WINNERS = "used up more than once"
    EFFECT_OF_FAILURE = "failed, and had an effect"
    NEVER_WRITTEN = "read, and never written"
    EVENT_LOST = "acknowledged without an event"
    EVENT_DOUBLED = "more than one event"


@dataclass
class Operation:
    """One request. It is unknown until it is said how it ended."""

    kind: str
    act: Act
    key: str
    value: str | None
    clock: Callable[[], float] = field(repr=False)
    invoked: float
    ended: float = math.inf
    outcome: Outcome = Outcome.INFO
    result: str | None = None
    client: int = 0
    """Who sent it, where that matters."""

    def ok(self, result: str | None = None) -> None:
        """The request succeeded. `result` is the value that a read saw, or what a winner got."""
        if self.act is Act.READ:
            self.value = result
        self.result = result
        self._end(Outcome.OK)

    def fail(self) -> None:
        """The request was refused, and had no effect."""
        self._end(Outcome.FAIL)

    def info(self) -> None:
        """The request may have had an effect, now or later."""
        self._end(Outcome.INFO)

    def refused(self, status: int, body: bytes | str) -> None:
        """The answer was no success: notes what it says about the effect."""
        self._end(outcome_of(status, body))

    def _end(self, outcome: Outcome) -> None:
        self.outcome, self.ended = outcome, self.clock()

    @property
    def latest(self) -> float:
        """The last moment at which it can have taken effect."""
        return math.inf if self.outcome is Outcome.INFO else self.ended


def outcome_of(status: int, body: bytes | str) -> Outcome:
    """Returns what an HTTP answer other than success says about the effect of its request."""
    text = body if isinstance(body, str) else body.decode(errors="replace")
    if status < 500 or any(f'"code":"{code}"' in text.replace(" ", "") for code in CERTAIN):
        return Outcome.FAIL
    return Outcome.INFO


@dataclass(frozen=True)
class Violation:
    """What cannot be true, in a sentence."""

    rule: ViolationKind
    kind: str
    text: str


@dataclass(frozen=True)
class Totals:
    """How many operations ended in which way."""

    sent: int
    ok: int
    failed: int
    unknown: int


@dataclass
class History:
    """The operations of all clients of a test."""

    clock: Callable[[], float] = time.monotonic
    operations: list[Operation] = field(default_factory=list)
    found: list[Violation] = field(default_factory=list)
    """Violations that other checks have found, such as `compare_events`."""

    def invoke(
        self, kind: str, act: Act, key: str = "", value: str | None = ABSENT, *, client: int = 0
    ) -> Operation:
        """Notes that a request is sent. `kind` is its name in the report."""
        operation = Operation(kind, act, key, value, self.clock, self.clock(), client=client)
        self.operations.append(operation)
        return operation

    def totals(self, *kinds: str) -> Totals:
        """Counts the operations of these kinds, or of all."""
        seen = Counter(o.outcome for o in self.operations if not kinds or o.kind in kinds)
        return Totals(seen.total(), seen[Outcome.OK], seen[Outcome.FAIL], seen[Outcome.INFO])

    def acknowledged(self, kind: str) -> list[str]:
        """Returns the keys of the operations of a kind that succeeded."""
        return [o.key for o in self.operations if o.kind == kind and o.outcome is Outcome.OK]

    def works_since(self, moment: float, kinds: Iterable[str], times: int = 1) -> bool:
        """Returns whether the last so many requests of each kind, all sent after a moment, have succeeded."""
        late: dict[str, list[Outcome]] = {kind: [] for kind in kinds}
        for each in self.operations:
            if each.kind in late and each.invoked > moment and each.ended < math.inf:
                late[each.kind].append(each.outcome)
        return all(outcomes[-times:] == [Outcome.OK] * times for outcomes in late.values())

    def seconds_until_it_worked(self, moment: float, kinds: Iterable[str]) -> float:
        """Returns how long after a moment each kind had succeeded again. Infinite if one has not."""
        first = dict.fromkeys(kinds, math.inf)
        for each in self.operations:
            if each.kind in first and each.invoked > moment and each.outcome is Outcome.OK:
                first[each.kind] = min(each.ended, first[each.kind])
        return max(first.values()) - moment

    def compare_events(self, kind: str, counted: Counter[str]) -> None:
        """Notes each key of a kind that was acknowledged and does not have exactly one event, and each key with
        several events."""
        for key in dict.fromkeys(self.acknowledged(kind)):
            if not counted[key]:
                self.found.append(Violation(ViolationKind.EVENT_LOST, kind, f"{key} has no event"))
        for key, times in counted.items():
            if times > 1:
                self.found.append(
                    Violation(ViolationKind.EVENT_DOUBLED, kind, f"{key}: {times} events")
                )

    def violations(self) -> list[Violation]:
        """Returns everything that cannot be true if the product keeps its promises."""
        by_key: dict[str, list[Operation]] = defaultdict(list)
        for operation in self.operations:
            by_key[operation.key].append(operation)
        wrong = list(self.found)
        for operations in by_key.values():
            wrong += _winners(operations)
            wrong += _used_after_end(operations)
            for read in operations:
                if read.act is Act.READ and read.outcome is Outcome.OK:
                    wrong += _read(read, operations)
        return wrong

    def check(self) -> None:
        """Fails with the first violations, if there are any."""
        wrong = self.violations()
        assert not wrong, f"{len(wrong)} violations: " + "; ".join(
            f"{each.rule}: {each.text}" for each in wrong[:5]
        )


def _winners(operations: list[Operation]) -> Iterator[Violation]:
    """Of several who take, one may succeed. The same result again is the same success, told twice."""
    winners = [o for o in operations if o.act is Act.TAKE and o.outcome is Outcome.OK]
    results = {o.result if o.result is not None else f"winner {n}" for n, o in enumerate(winners)}
    if len(results) > 1:
        text = f"{winners[0].key} was taken {len(results)} times"
        yield Violation(ViolationKind.TWO_WINNERS, winners[0].kind, text)


def _used_after_end(operations: list[Operation]) -> Iterator[Violation]:
    """What was revoked stays revoked: nobody takes it later."""
    ends = [o.ended for o in operations if o.act is Act.END and o.outcome is Outcome.OK]
    for taken in operations:
        succeeded = taken.act is Act.TAKE and taken.outcome is Outcome.OK
        if succeeded and any(ended < taken.invoked for ended in ends):
            text = f"{taken.key} was taken after its end"
            yield Violation(ViolationKind.REVIVED, taken.kind, text)


def _read(read: Operation, operations: list[Operation]) -> Iterator[Violation]:
    """A read sees at least the last acknowledged state, and nothing that failed."""
    effects = [o for o in operations if o.act not in (Act.READ, Act.ASK) and o.value == read.value]
    started = [o for o in effects if o.invoked < read.ended]
    possible = [o.latest for o in started if o.outcome is not Outcome.FAIL]
    if read.value is ABSENT:
        possible.append(-math.inf)
    if not possible:
        rule = ViolationKind.EFFECT_OF_FAILURE if started else ViolationKind.NEVER_WRITTEN
        yield Violation(rule, read.kind, f"{read.key} is {read.value}")
        return
    newer = [
        o
        for o in operations
        if o is not read
        and o.outcome is Outcome.OK
        and o.value != read.value
        and o.ended < read.invoked
        and max(possible) < o.invoked
    ]
    if newer:
        last = max(newer, key=lambda o: o.ended)
        if read.value is ABSENT:
            failed = any(o.outcome is Outcome.FAIL for o in started)
            rule = ViolationKind.EFFECT_OF_FAILURE if failed else ViolationKind.LOST
        else:
            rule = ViolationKind.REVIVED if last.act in (Act.TAKE, Act.END) else ViolationKind.LOST
        text = f"{read.key} is {read.value}, after it was {last.value} ({last.act})"
        yield Violation(rule, read.kind, text)
