"""What we aim at, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.measurement import Measurement
from bench.windows import HASH, OURS, TOGETHER, Row, ageing, difference, ratio

FIRST_PEER: Final = "oidc-provider"
SERVICES: Final = (
    "gateway",
    "identity",
    "oidc",
    "rbac",
    "tenancy",
    "together",
    "aero2 serve",
    "aero2 forks",
)
"""The processes of the services in either shape, as `processes.memory` names them."""


@dataclass(frozen=True)
class Aim:
    """The largest values with separate services and with all in one process."""

    separate: float
    together: float

    def of(self, side: str) -> float:
        return self.separate if side == OURS else self.together


RATIOS: Final = {
    "W1-userinfo": Aim(0.20, 0.15),
    "W1-introspection": Aim(0.20, 0.15),
    "W2-es256": Aim(0.85, 0.55),
    "W3": Aim(0.65, 0.45),
    "W5-discovery": Aim(0.55, 0.55),
    "W5-jwks": Aim(1.0, 1.0),
    "W6-code-flow": Aim(0.65, 0.45),
}
"""Of our CPU to that of oidc-provider."""

Value = Callable[[Measurement, str], float | None]


def _aged(measurement: Measurement, side: str) -> float | None:
    return ageing(measurement.rows, "W6-code-flow", side)


def _beyond_hash(workload: str, measurement: Measurement, side: str) -> float | None:
    more = difference(measurement.rows, workload, side, "W4", HASH)
    return None if more is None else more / 1000


def _start(measurement: Measurement, side: str) -> float | None:
    footprint = measurement.footprints.get(side)
    return footprint.started_in if footprint and footprint.started_in else None


def _memory(when: str, measurement: Measurement, side: str) -> float | None:
    footprint = measurement.footprints.get(side)
    sizes: dict[str, float] = getattr(footprint, when) if footprint else {}
    return sum(size for name, size in sizes.items() if name in SERVICES) or None


OTHERS: Final[dict[str, tuple[Aim, Value]]] = {
    "W6 after ageing ÷ before": (Aim(1.05, 1.05), _aged),
    "W4 beyond its hash, CPU ms": (Aim(4, 3), partial(_beyond_hash, "W4")),
    "whole sign-in beyond its hash, CPU ms": (Aim(12, 8), partial(_beyond_hash, "W6-full-login")),
    "start to ready, s": (Aim(5, 3), _start),
    "memory of the services at rest, MiB": (Aim(285, 130), partial(_memory, "at_rest")),
    "memory of the services after the run, MiB": (Aim(250, 150), partial(_memory, "after")),
}
"""The aims that are no ratios to a peer."""


def table(measurement: Measurement) -> str:
    """Returns our ratios to the first peer and the other aims, with what was reached. Empty if that peer
    was not measured."""
    sides = [side for side in (OURS, TOGETHER) if any(row.side == side for row in measurement.rows)]
    ratios = list(_ratio_lines(measurement.rows, sides))
    if not ratios:
        return ""
    names = {OURS: "separate services", TOGETHER: "all in one process"}
    head = "".join(f" {names[side]} | aim | |" for side in sides)
    columns = "---:|---:|---|" * len(sides)
    first = f"| our CPU ÷ {FIRST_PEER}'s |{head}\n|---|{columns}\n" + "\n".join(ratios)
    others = list(_other_lines(measurement, sides))
    second = f"| |{head}\n|---|{columns}\n" + "\n".join(others)
    return f"{first}\n\n{second}" if others else first


def _ratio_lines(rows: Sequence[Row], sides: Sequence[str]) -> Iterator[str]:
    for workload in dict.fromkeys(row.workload for row in rows):
        ratios = [ratio(rows, workload, side, FIRST_PEER) for side in sides]
        if not any(ratios):
            continue
        cells = []
        for side, value in zip(sides, ratios, strict=True):
            shown = (
                f"**{value.median:.2f}** ({value.lowest:.2f}–{value.highest:.2f})" if value else "–"
            )
            aim = RATIOS[workload].of(side) if workload in RATIOS else None
            text = "" if aim is None else f"{aim:.2f}"
            cells.append(_cell(shown, value.median if value else None, text, aim or 0.0))
        yield f"| {workload} | {' | '.join(cells)} |"


def _other_lines(measurement: Measurement, sides: Sequence[str]) -> Iterator[str]:
    for name, (aim, value_of) in OTHERS.items():
        values = [value_of(measurement, side) for side in sides]
        if not any(values):
            continue
        cells = [
            _cell("–" if value is None else _short(value), value, f"{aim.of(side):g}", aim.of(side))
            for side, value in zip(sides, values, strict=True)
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def _cell(shown: str, value: float | None, aim: str, limit: float) -> str:
    """Returns the value, the aim, and whether it was reached."""
    if value is None or not aim:
        return f"{shown} | {aim or '–'} | "
    return f"{shown} | {aim} | {'reached' if value <= limit else 'missed'}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"
