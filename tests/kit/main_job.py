"""The steps of the main job, and the table of what was sent during each of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from bench.publication import write
from tests.kit.application_load import ApplicationLoad
from tests.kit.history import Act, Operation, Outcome

from common.version import VERSION

COMMAND: Final = "make main-job"
PART: Final = "main job"
HEAD: Final = (
    "| | step | took | sent | succeeded | refused | no answer | longest pause |",
    "|---:|---|---:|---:|---:|---:|---:|---:|",
)


@dataclass
class Step:
    """Something that happens to the deployment, from its beginning until all kinds of requests succeed."""

    name: str
    began: float
    ended: float = 0.0


def successes(load: ApplicationLoad, kind: str) -> list[float]:
    """Returns when requests of a kind succeeded."""
    return sorted(
        each.ended
        for each in load.history.operations
        if each.kind == kind and each.outcome is Outcome.OK
    )


@dataclass
class MainJob:
    """Loads on several applications, and the steps that they live through."""

    loads: Sequence[ApplicationLoad]
    steps: list[Step] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs all loads until the context ends."""
        first, *others = self.loads
        async with first.running():
            if not others:
                yield
                return
            async with MainJob(others).running():
                yield

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Notes what is sent while the context is open, and until each kind of request succeeds again."""
        step = Step(name, time.monotonic())
        self.steps.append(step)
        yield
        await self.works_again()
        step.ended = time.monotonic()
        assert not self.wrong, (name, self.wrong)

    async def works_again(self, times: int = 2) -> None:
        """Waits until each kind of request to each application has succeeded some more times."""
        await asyncio.gather(*(load.works_again(times) for load in self.loads))

    @property
    def wrong(self) -> list[str]:
        """Answers that no step excuses."""
        return [text for load in self.loads for text in load.wrong]

    @property
    def operations(self) -> Iterable[Operation]:
        """All requests of the loads, without what is read back at the end."""
        return (each for load in self.loads for each in load.history.operations)

    def row(self, number: int) -> str:
        """Returns the line of a step in the table."""
        step = self.steps[number]
        sent = [each for each in self.operations if step.began <= each.invoked < step.ended]
        succeeded = sum(each.outcome is Outcome.OK for each in sent)
        refused = sum(id(each) in load.refused for each in sent for load in self.loads)
        counts = (len(sent), succeeded, refused, len(sent) - succeeded - refused)
        cells = [str(number + 1), step.name, f"{step.ended - step.began:.0f} s"]
        cells += [f"{count:,}" for count in counts]
        return f"| {' | '.join(cells)} | {self.longest_pause(step):.1f} s |"

    def longest_pause(self, step: Step) -> float:
        """Returns the longest time between two successes of any one kind, to one application, of which the later
        one is in a step."""
        return max(
            (
                later - earlier
                for load in self.loads
                for kind in load.kinds
                for earlier, later in pairwise(successes(load, kind))
                if step.began < later <= step.ended
            ),
            default=0.0,
        )

    def table(self) -> str:
        """Returns the report as Markdown."""
        seen = [each for each in self.operations if each.kind != "read back"]
        acknowledged = [
            each for each in seen if each.outcome is Outcome.OK and each.act is not Act.ASK
        ]
        lost = [each for load in self.loads for each in load.history.violations()]
        minutes = (self.steps[-1].ended - self.steps[0].began) / 60
        day = datetime.now(UTC).date().isoformat()
        lines = [
            f"Version {VERSION}, {day}. In {minutes:.0f} minutes, {len(seen):,} requests were sent; "
            f"{len(acknowledged):,} changes were acknowledged, and {len(lost)} of them were lost.",
            "",
            *HEAD,
            *(self.row(number) for number in range(len(self.steps))),
        ]
        return "\n".join(lines)

    def publish(self, document: Path) -> None:
        """Writes the table into a document."""
        document.write_text(write(document.read_text(), PART, self.table(), COMMAND))
