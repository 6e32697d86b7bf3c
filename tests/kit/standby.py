"""A primary and its synchronous standby on loopback, for what must survive a failover.

pair = PostgresPair.start()
name = pair.primary.clone()             # a database with the whole schema
with pair.frozen_standby(): ...         # a COMMIT on the primary now waits
pair.crash_primary()                    # killed and restarted, as after a power cut
pair.fail_over()                        # the primary is killed, the standby promoted
pair.stop()
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import psutil
from tests.kit.postgres import Postgres

STANDBY: Final = "standby"
SETTINGS: Final = f"""
synchronous_commit = on
synchronous_standby_names = '{STANDBY}'
"""
WAIT: Final = 20.0
"""Seconds for the standby to connect."""


@dataclass
class PostgresPair:
    """Commits on the primary are acknowledged when the standby has them."""

    primary: Postgres
    standby: Postgres
    _frozen: list[psutil.Process] = field(default_factory=list)

    @classmethod
    def start(cls) -> PostgresPair:
        """Starts both. The template database has the whole schema."""
        primary = Postgres.start()
        try:
            standby = Postgres.standby_of(primary, STANDBY)
        except BaseException:
            primary.stop()
            raise
        pair = cls(primary, standby)
        try:
            pair._wait_for_standby("async")
            pair._require_standby()
        except BaseException:
            pair.stop()
            raise
        return pair

    @contextmanager
    def frozen_standby(self) -> Iterator[None]:
        """Stops the standby as a machine that hangs: its connections stay open."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def freeze(self) -> None:
        """Stops every process of the standby (SIGSTOP)."""
        self._frozen = self.standby.suspend()

    def thaw(self) -> None:
        """Lets the standby go on, and waits until it streams again."""
        for process in self._frozen:
            process.resume()
        self._frozen = []
        self._wait_for_standby("sync")

    def crash_primary(self) -> None:
        """Kills the primary and starts it again. What it had committed, acknowledged or not, is
        there after its recovery."""
        self.primary.kill()
        self.primary.restart()

    def fail_over(self) -> None:
        """Kills the primary and promotes the standby."""
        self.primary.kill()
        self.promote()

    def lag(self) -> None:
        """Lets the primary acknowledge alone, and cuts the standby off from what comes."""
        self.primary.query("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.standby.query("ALTER SYSTEM SET primary_conninfo = ''")
        for server in (self.primary, self.standby):
            server.query("SELECT pg_reload_conf()")
        deadline = time.monotonic() + WAIT
        while self.primary.query("SELECT count(*) FROM pg_stat_replication") != "0":
            if time.monotonic() > deadline:
                raise TimeoutError("the standby still streams")
            time.sleep(0.05)

    def promote(self) -> None:
        """Promotes the standby, whatever the primary does."""
        self.standby.query("SELECT pg_promote()")

    def renew(self) -> None:
        """After a failover: stops the old primary, and gives the new one a synchronous standby."""
        self.primary.stop()
        self.primary = self.standby
        self.standby = Postgres.standby_of(self.primary, STANDBY)
        self._wait_for_standby("async")
        self._require_standby()

    def stop(self) -> None:
        """Stops both."""
        for process in self._frozen:
            process.resume()
        self.standby.stop()
        self.primary.stop()

    def _require_standby(self) -> None:
        for line in SETTINGS.strip().splitlines():
            self.primary.query(f"ALTER SYSTEM SET {line}")
        self.primary.query("SELECT pg_reload_conf()")
        self._wait_for_standby("sync")

    def _wait_for_standby(self, state: str) -> None:
        deadline = time.monotonic() + WAIT
        sql = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
        while self.primary.query(sql) != state:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the standby is not {state}")
            time.sleep(0.05)
