"""The tables of a run: medians over the rounds, and ratios of the same round."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.processes import Cpu
from bench.windows import OURS, Row, ageing, by_round, ratio

TARGETS: Final = {
    "W1-userinfo": 0.20,
    "W1-introspection": 0.20,
    "W2-es256": 0.85,
    "W3": 0.65,
    "W5-discovery": 0.55,
    "W5-jwks": 1.0,
    "W6-code-flow": 0.65,
}
"""The largest ratio to oidc-provider."""
FIRST_PEER: Final = "oidc-provider"
HEAD: Final = (
    "| workload | CPU µs (services + Postgres + NATS) | req/s | p50 ms | p99 ms | aged ÷ fresh |"
)


def tables(rows: Sequence[Row], idle: dict[str, Cpu], facts: dict[str, object]) -> str:
    """Returns everything as Markdown."""
    sides = sorted({row.side for row in rows}, key=_place)
    peers = [side for side in sides if side != OURS]
    parts = ["\n".join(f"{name}: {value}  " for name, value in facts.items())]
    if peers:
        parts.append(ratios(rows, peers))
    parts += [absolute(rows, side) for side in sides]
    parts.append(idle_table(idle))
    return "\n\n".join(parts)


def _place(side: str) -> tuple[bool, bool, str]:
    """Returns where a side stands: ours, then the first peer, then the others."""
    return side != OURS, side != FIRST_PEER, side


def ratios(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """Returns our CPU divided by that of each peer: the median of the rounds, and the extremes."""
    lines = [
        "| ours ÷ peer | " + " | ".join(peers) + " | target | result |",
        "|---|" + "---:|" * len(peers) + "---:|---|",
    ]
    for workload in dict.fromkeys(row.workload for row in rows):
        ratios_by_peer = {peer: ratio(rows, workload, peer) for peer in peers}
        if not any(ratios_by_peer.values()):
            continue
        cells = [
            f"**{each.median:.2f}** ({each.lowest:.2f}–{each.highest:.2f})" if each else "–"
            for each in ratios_by_peer.values()
        ]
        target, first = TARGETS.get(workload), ratios_by_peer.get(FIRST_PEER)
        result = "" if target is None or first is None else _result(first.median, target)
        lines.append(f"| {workload} | {' | '.join(cells)} | {target or '–'} | {result} |")
    return "\n".join(lines)


def _result(value: float, target: float) -> str:
    return "reached" if value <= target else "missed"


def absolute(rows: Sequence[Row], side: str) -> str:
    """Returns the medians of one side."""
    lines = [f"{side}:", "", HEAD, "|---|---|" + "---:|" * 4]
    for workload in dict.fromkeys(row.workload for row in rows if row.side == side):
        windows = [row for row in rows if row.side == side and row.workload == workload]
        counted = [
            row for number, row in by_round(rows, workload, side).items() if number
        ] or windows
        total, services, postgres, nats, speed, p50, p99 = (
            median(getattr(row, name) for row in counted)
            for name in (
                "cpu_us",
                "services_us",
                "postgres_us",
                "nats_us",
                "requests_per_second",
                "p50_us",
                "p99_us",
            )
        )
        grown, errors = ageing(rows, workload, side), sum(row.errors for row in windows)
        cells = [
            workload + (f" ({errors} errors)" if errors else ""),
            f"{total:,.0f} ({services:,.0f} + {postgres:,.0f} + {nats:,.0f})",
            f"{speed:,.0f}",
            f"{p50 / 1000:.1f}",
            f"{p99 / 1000:.1f}",
            f"{grown:.2f}" if grown else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def idle_table(idle: dict[str, Cpu]) -> str:
    """Returns the CPU of each side without requests."""
    lines = ["| idle, CPU ms each second | services | Postgres | NATS |", "|---|---:|---:|---:|"]
    lines += [
        f"| {side} | {used.services * 1e3:.1f} | {used.postgres * 1e3:.1f} | {used.nats * 1e3:.1f} |"
        for side, used in idle.items()
    ]
    return "\n".join(lines)
