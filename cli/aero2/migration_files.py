"""The files of db/migrations: what their headers say, and the steps that they consist of.

    -- phase: expand                 or contract: only once no replica of the version before runs
    -- transaction: no               each step below is a transaction of its own
    -- step                          SQL, up to the next step
    -- step: each partition          once for each partition: pNN becomes p00 to p15
    -- step: backfill users          one UPDATE, repeated for the blocks from $1 to $2 of the table

Without `transaction: no`, the whole file is one step. db/migrations/README.md says when to use which.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

PARTITIONS: Final = 16
HEADER: Final = re.compile(r"^-- (phase|transaction): (\S+)$")
STEP: Final = re.compile(r"^-- step(?:: (each partition|backfill (\w+)))?$", re.MULTILINE)
COMMENT: Final = re.compile(r"^\s*--.*$|\s+--\s.*$", re.MULTILINE)
BLOCKS: Final = "ctid >= $1 AND ctid < $2"
CONCURRENTLY: Final = re.compile(r"\bCONCURRENTLY\b")
NEW_INDEX: Final = re.compile(r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+) ")


class BadMigrationError(Exception):
    """A file that is not written as this module describes. The message names the file and the fault."""


@dataclass(frozen=True)
class Step:
    """A part of a migration. `backfill` is the table whose rows it changes in batches, or None."""

    sql: str
    backfill: str | None = None

    @property
    def concurrent(self) -> bool:
        """Whether it must run outside of a transaction."""
        return CONCURRENTLY.search(self.sql) is not None

    @property
    def new_index(self) -> str | None:
        """The index that it builds concurrently, or None."""
        match = NEW_INDEX.match(self.sql)
        return match[1] if match else None


@dataclass(frozen=True)
class Script:
    """A file of SQL."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The checksum of what the file does. It ignores comments and spacing, but not its directives."""
        code = re.sub(COMMENT, _keep_directive, self.sql)
        return hashlib.sha256(" ".join(code.split()).encode()).hexdigest()

    @cached_property
    def headers(self) -> dict[str, str]:
        """Returns the lines at the top that name the phase and the kind of transaction."""
        headers: dict[str, str] = {}
        for line in self.sql.splitlines():
            match = HEADER.match(line)
            if not match:
                break
            headers[match[1]] = match[2]
        return headers

    @property
    def contracts(self) -> bool:
        """Whether it takes away what the version before still uses."""
        return self.headers.get("phase") == "contract"

    @property
    def in_one_transaction(self) -> bool:
        """Whether all of it happens or nothing."""
        return self.headers.get("transaction") != "no"

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Returns the steps in order. Raises BadMigrationError."""
        if self.in_one_transaction:
            return (Step(self.sql),)
        steps = tuple(self._steps())
        if not steps:
            raise BadMigrationError(f"{self.name} has no line `-- step`.")
        return steps

    def _steps(self) -> Iterator[Step]:
        first, *parts = _split(self.sql)
        if COMMENT.sub("", first[1]).strip():
            raise BadMigrationError(f"{self.name} has SQL above its first `-- step`.")
        for directive, text in parts:
            sql = COMMENT.sub("", text).strip()
            self._check(directive, sql)
            if directive == "each partition":
                for number in range(PARTITIONS):
                    yield Step(sql.replace("pNN", f"p{number:02}"))
            else:
                yield Step(sql, directive.removeprefix("backfill ") or None)

    def _check(self, directive: str, sql: str) -> None:
        """Refuses what could not be repeated after a crash."""
        step = Step(sql)
        fault = ""
        if not sql:
            fault = "a step without SQL"
        elif directive == "each partition" and "pNN" not in sql:
            fault = "a step for each partition that does not say pNN"
        elif directive.startswith("backfill") and not sql.startswith("UPDATE"):
            fault = "a backfill that is no UPDATE"
        elif directive.startswith("backfill") and BLOCKS not in sql:
            fault = f"a backfill without `{BLOCKS}`"
        elif step.concurrent and sql.count(";") != 1:
            fault = "a step with CONCURRENTLY that is not one statement"
        elif step.concurrent and sql.startswith("CREATE") and step.new_index is None:
            fault = "an index that is built concurrently without IF NOT EXISTS"
        if fault:
            raise BadMigrationError(f"{self.name} has {fault}.")


def _split(sql: str) -> list[tuple[str, str]]:
    """Returns the directive of each step and the text below it; first what stands above all steps."""
    marks = list(STEP.finditer(sql))
    ends = [mark.start() for mark in marks] + [len(sql)]
    above = ("", sql[: ends[0]])
    return [above] + [
        (mark[1] or "", sql[mark.end() : end]) for mark, end in zip(marks, ends[1:], strict=True)
    ]


def _keep_directive(comment: re.Match[str]) -> str:
    line = comment[0].strip()
    return f"\n{line}\n" if HEADER.match(line) or STEP.match(line) else ""
