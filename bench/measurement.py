"""What a run measures, and the file that keeps it while the run goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import Disturbance
from bench.processes import Cpu
from bench.windows import Row


@dataclass(frozen=True)
class Plan:
    """How long everything takes, in seconds, and how many rounds are counted."""

    seconds: float
    """Of each window."""
    rounds: int
    warm: float
    """For each workload of each side, at least."""
    warm_side: float
    """For each side, at least, with all its workloads."""
    age: float
    """For all sides at the same time."""
    idle: float
    attempts: int
    """How often a workload is measured in a round at most, while the machine is busy with other things."""


@dataclass
class Footprint:
    """What a side needs beside CPU: seconds from start to ready, and MiB by process."""

    started_in: float
    at_rest: dict[str, float]
    after: dict[str, float] = field(default_factory=dict)


@dataclass
class Measurement:
    """What a run has measured so far."""

    plan: Plan
    facts: dict[str, str] = field(default_factory=dict)
    """What a reader needs to judge the figures."""
    rows: list[Row] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)
    idle: dict[str, Cpu] = field(default_factory=dict)
    """By side: CPU seconds in each second without requests."""
    footprints: dict[str, Footprint] = field(default_factory=dict)
    """By side: deployments of ours."""
    repeated: int = 0
    """Windows that were measured again, because the machine was busy."""
    failures: list[str] = field(default_factory=list)
    """What failed outside of a window."""
    finished: bool = False

    def save(self, file: Path) -> None:
        """Writes the file, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1))
        new.replace(file)

    @classmethod
    def load(cls, file: Path) -> Measurement:
        """Reads a file of `save`. Raises ValueError if it is not one."""
        try:
            parts: dict[str, Any] = json.loads(file.read_text())
            return cls(
                plan=Plan(**parts.pop("plan")),
                rows=[Row(**row) for row in parts.pop("rows")],
                disturbances=[Disturbance(**each) for each in parts.pop("disturbances")],
                idle={side: Cpu(**used) for side, used in parts.pop("idle").items()},
                footprints={
                    side: Footprint(**each) for side, each in parts.pop("footprints").items()
                },
                **parts,
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"{file} is not the result of `make bench`: {error!r}") from error
