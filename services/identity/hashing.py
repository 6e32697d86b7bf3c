"""Password hashing: our own Argon2id in threads, imported hashes in processes that can be killed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from common.hash_pool import FairPool
from common.worker_processes import WorkerProcesses
from identity import imported_hashes

MAX_BYTES: Final = 256
PASSES: Final = 2
MEMORY_KIB: Final = 19_456
OWN: Final = re.compile(
    rf"\$argon2id\$v=19\$m={MEMORY_KIB},t={PASSES},p=1\$[\w+/]{{22}}\$[\w+/]{{43}}"
)
"""The parameters of our own hashes. Every other hash is tenant data."""
T = TypeVar("T")


def normalized(password: str) -> str:
    """Returns the password in Unicode NFC (NIST SP 800-63B-4 section 3.1.1.2). Spaces are kept."""
    return unicodedata.normalize("NFC", password)


def too_long(password: str) -> bool:
    """Returns whether the password has more bytes than are hashed."""
    return len(password.encode()) > MAX_BYTES


@dataclass(frozen=True)
class PasswordVerdict:
    """Whether the password is right, and a new hash of it if the stored one is not ours."""

    ok: bool
    rehashed: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Hashing:
    """Argon2id with 19 MiB, two passes and one lane (OWASP). If there is no hash, a dummy of equal
    cost is verified, so that an unknown address is not answered sooner."""

    pool: FairPool
    hasher: argon2.PasswordHasher = field(
        default_factory=lambda: argon2.PasswordHasher(
            PASSES, MEMORY_KIB, 1, hash_len=32, salt_len=16
        )
    )
    dummy: str = field(default="", repr=False)
    workers: WorkerProcesses = field(default_factory=lambda: WorkerProcesses("identity.jobs"))
    """For imported hashes and everything else that an application stored."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dummy", self.hasher.hash("no such user"))

    async def hash(self, app_id: str, password: str) -> str:
        """Returns the hash of a password. Raises Busy if the pool is full."""
        return await self.pool.run(app_id, lambda: self.hasher.hash(normalized(password)))

    async def verify(self, app_id: str, password: str, phc: str | None) -> PasswordVerdict:
        """Returns whether the password matches the hash. Raises Busy if the pool is full, or if an
        imported hash takes too long."""
        typed, password = password, normalized(password)
        if phc is None or too_long(password):
            await self.pool.run(app_id, lambda: self._own(password[:MAX_BYTES], self.dummy))
            return PasswordVerdict(False)
        if OWN.fullmatch(phc):
            return PasswordVerdict(await self.pool.run(app_id, lambda: self._own(password, phc)))
        if not imported_hashes.supported(phc):
            return PasswordVerdict(False)
        if not await self.workers.run(app_id, "verify_hash", [password, typed], phc):
            return PasswordVerdict(False)
        return PasswordVerdict(True, await self.hash(app_id, password))

    async def run(self, app_id: str, work: Callable[[], T]) -> T:
        """Runs other work that keeps a core busy, within the application's share."""
        return await self.pool.run(app_id, work)

    def _own(self, password: str, phc: str) -> bool:
        try:
            return self.hasher.verify(phc, password)
        except (VerificationError, InvalidHashError):
            return False
