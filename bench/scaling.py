"""`python -m bench.scaling`: what a number of users needs, from the measured cost of each request.

It reads the cost of each workload from docs/performance.md and writes the table of docs/scaling.md.
A test holds the document to it. With `--write`, it replaces the table there; the options change what
users do in a day.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from bench import publication
from bench.publication import DOCUMENT as PERFORMANCE

DOCUMENT: Final = PERFORMANCE.with_name("scaling.md")
USERS: Final = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
BYTES_OF_USER: Final = 425 + 236 + 5 * 261 + 290 + 342
"""A user with password, five words for the search, a role and a consent, indexes included. These and the
next ones are from `python -m bench.growth --sizes --rows 100000`."""
BYTES_OF_SESSION: Final = 540 + 461 + 373 + 563
"""A session, its client, a token family and its refresh token."""
BYTES_OF_RECORD: Final = 668 + 243
"""An audit record and its link in the chain."""
PART: Final = "what users need"
COMMAND: Final = "python -m bench.scaling --write"


@dataclass(frozen=True)
class Day:
    """What users do on a day. All figures but the first are for each active user."""

    active: float = 0.2
    """The share of users that are active."""
    sign_ins: float = 0.1
    """With a password, in a new browser. A session lasts for weeks."""
    code_flows: float = 2
    """Applications that a user opens with a session that exists."""
    refreshes: float = 10
    """An access token lives fifteen minutes, and is renewed only while it is used."""
    checks: float = 60
    """Of a session, of an opaque token, or userinfo: what gateways answer from memory."""
    peak: float = 6
    """The rate of the busiest minutes, as a multiple of the day's mean."""
    records: float = 2.5
    """Audit records: grants, sign-ins, changes."""
    busy: float = 0.5
    """How busy a core may be in these minutes."""


@dataclass(frozen=True)
class Cost:
    """CPU of one request in seconds."""

    services: float
    postgres: float
    nats: float


def costs(text: str) -> dict[str, Cost]:
    """Returns the cost of each workload of separate services, from docs/performance.md."""
    own = text.split("\naero2:\n")[1].split("\ntogether:\n")[0]
    row = re.compile(r"^\| (\S+) \| [\d,]+ \(([\d,]+) \+ ([\d,]+) \+ ([\d,]+)\)", re.MULTILINE)
    return {
        name: Cost(*(int(figure.replace(",", "")) / 1e6 for figure in figures))
        for name, *figures in row.findall(own)
    }


@dataclass(frozen=True)
class Need:
    """What a number of users needs in the busiest minutes."""

    users: int
    requests: float
    sign_ins: float
    services: float
    postgres: float
    nats: float
    commits: float
    data: float
    records: float

    @property
    def cores(self) -> tuple[float, float, float]:
        """Returns cores for services, for PostgreSQL and for NATS."""
        return self.services, self.postgres, self.nats


COMMITS: Final = {"W6-full-login": 5, "W6-code-flow": 1, "W3": 1, "W1-session": 0}
"""Of each request: limits, session, mail and its delivery, grant."""


def need(users: int, day: Day, cost: dict[str, Cost]) -> Need:
    """Returns what these users need."""
    each = {
        "W6-full-login": day.sign_ins,
        "W6-code-flow": day.code_flows,
        "W3": day.refreshes,
        "W1-session": day.checks,
    }
    active = users * day.active
    rate = {name: active * times * day.peak / 86_400 for name, times in each.items()}

    def cores(part: Callable[[Cost], float]) -> float:
        return sum(part(cost[name]) * times for name, times in rate.items()) / day.busy

    return Need(
        users,
        sum(rate.values()),
        rate["W6-full-login"],
        cores(lambda one: one.services),
        cores(lambda one: one.postgres),
        cores(lambda one: one.nats),
        sum(COMMITS[name] * times for name, times in rate.items()),
        users * BYTES_OF_USER + 2 * active * BYTES_OF_SESSION,
        active * day.records * 365 * BYTES_OF_RECORD,
    )


def _size(amount: float) -> str:
    for unit, divisor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if amount >= divisor:
            return f"{amount / divisor:.1f} {unit}"
    return f"{amount / 1e3:.0f} kB"


def _figure(amount: float) -> str:
    return (
        f"{amount:,.0f}" if amount >= 10 else f"{amount:.1f}" if amount >= 0.1 else f"{amount:.2g}"
    )


def table(day: Day, cost: dict[str, Cost]) -> str:
    """Returns the table as Markdown."""
    lines = [
        "| users | requests a second | sign-ins a second | cores: services | PostgreSQL | NATS | "
        "commits a second | data | audit records a year |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for users in USERS:
        one = need(users, day, cost)
        figures = [one.requests, one.sign_ins, *one.cores, one.commits]
        sizes = [_size(one.data), _size(one.records)]
        lines.append(f"| {users:,} | " + " | ".join([*map(_figure, figures), *sizes]) + " |")
    return "\n".join(lines)


def write(document: str, text: str) -> str:
    """Returns the document with the table. Raises ValueError if it has no place for it."""
    return publication.write(document, PART, text, COMMAND)


def main() -> None:
    """Prints the table, or writes it into the document."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--write", action="store_true")
    for field in fields(Day):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default)
    options = vars(parser.parse_args())
    to_write = options.pop("write")
    text = table(Day(**options), costs(PERFORMANCE.read_text()))
    if to_write:
        DOCUMENT.write_text(write(DOCUMENT.read_text(), text))
    else:
        print(text)


if __name__ == "__main__":
    main()
