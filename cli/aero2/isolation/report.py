"""What `aero2 doctor isolation` found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from aero2.isolation.uncovered import UNTRIED
from aero2.isolation.wire import Answer

WORKS: Final = "works"


@dataclass(frozen=True)
class Crossing:
    """One credential of A that reached something of B. `what` is a sentence without secrets."""

    operation: str
    credential: str
    host: str
    what: str


@dataclass
class Tried:
    """One operation: how often it was tried across, and how that was refused."""

    name: str
    refusals: Counter[str] = field(default_factory=Counter)
    control: str = "not tried"
    """`works` if its owner's own request is answered. Otherwise why not, or why that cannot be shown."""
    covered: bool = True
    """Whether the owner's own request shows that the attempts were well-formed."""

    def refused(self, answer: Answer) -> None:
        """Counts an attempt."""
        self.refusals[f"{answer.status} {answer.code}".strip()] += 1

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return self.refusals.total()

    @property
    def untried(self) -> str:
        """Why it was not tried across. Empty if it was."""
        return "" if self.attempts else UNTRIED.get(self.name, "this version of aero2 cannot")


@dataclass
class Report:
    """The outcome. `failed` are operations that their owners could not do either."""

    homes: tuple[str, str]
    tried: list[Tried] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    requests: int = 0

    @property
    def uncovered(self) -> list[Tried]:
        """Operations whose success cannot be shown, for a known reason."""
        return [each for each in self.tried if not each.covered]

    @property
    def untried(self) -> list[Tried]:
        """Operations that were not tried across."""
        return [each for each in self.tried if each.untried]

    @property
    def failed(self) -> list[Tried]:
        """Operations that should have worked for their owner, and did not. Nobody knows what the refusals of
        others show."""
        return [each for each in self.tried if each.covered and each.control != WORKS]

    def as_json(self) -> dict[str, Any]:
        """Returns the report for machines."""
        return {
            "homes": list(self.homes),
            "requests": self.requests,
            "attempts": sum(each.attempts for each in self.tried),
            "crossings": [vars(each) for each in self.crossings],
            "failed": {each.name: each.control for each in self.failed},
            "not_tried": {each.name: each.untried for each in self.untried},
            "not_covered": {each.name: each.control for each in self.uncovered},
            "operations": [
                {
                    "operation": each.name,
                    "attempts": each.attempts,
                    "refusals": dict(each.refusals),
                    "control": each.control,
                }
                for each in self.tried
            ],
        }
