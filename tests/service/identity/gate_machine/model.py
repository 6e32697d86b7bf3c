"""The rules of signing in, stated once more and without the code: what a sign-in may become.

A user is as the steps of the machine have left them. `expected` says what may come of what they show.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from tests.kit.authenticator import Authenticator

from common.contracts.sessions import SignedInSession

Outcome = Literal["refused", "full", "mfa_required", "mfa_setup_required"]
SECOND = {"totp", "recovery_code", "passkey", "mfa"}
"""What counts as a second factor. `mfa` is the word of a provider that is trusted with it."""
MOST_WRONG_CODES = 10
"""In one hour, over all second factors."""


@dataclass
class Half:
    """A sign-in that waits, in the state of factors (`epoch`) in which it started."""

    token: str
    account: Account
    epoch: int
    kind: str
    through_organization: bool = False


@dataclass
class Account:
    """A user as they should be. `totp` is the secret of the authenticator app."""

    user_id: str
    email: str | None
    password: str | None = None
    member: bool = False
    """Whether the user belongs to the organization that can require its own provider."""
    guest: bool = False
    disabled: bool = False
    deleted: bool = False
    locked: bool = False
    totp: str | None = None
    recovery: list[str] = field(default_factory=list)
    passkeys: dict[str, Authenticator] = field(default_factory=dict)
    subjects: set[tuple[str, str]] = field(default_factory=set)
    """The connected accounts: provider and subject."""
    epoch: int = 0
    """Grows with every change of a password, a factor or a connected account."""
    devices: list[tuple[str, int]] = field(default_factory=list)
    sessions: list[SignedInSession] = field(default_factory=list)
    wrong_codes: tuple[int, int] = (0, 0)
    """The hour, and the wrong codes in it."""

    @property
    def closed(self) -> bool:
        return self.disabled or self.deleted

    def note_wrong_code(self) -> None:
        hour, count = self.wrong_codes
        now = int(time.time()) // 3600
        self.wrong_codes = (now, count + 1 if hour == now else 1)

    @property
    def out_of_codes(self) -> bool:
        hour, count = self.wrong_codes
        return count >= MOST_WRONG_CODES and hour == int(time.time()) // 3600

    def skips(self, devices: list[str]) -> bool:
        """Returns whether one of the browser's devices is this user's, and their factors are those that
        it was remembered with."""
        return any(value in devices and epoch == self.epoch for value, epoch in self.devices)


@dataclass
class Model:
    """The application, and what has come of all sign-ins so far."""

    policy: str = "optional"
    sso: bool = False
    """Whether the organization requires its own provider."""
    impersonation: bool = True
    providers: dict[str, bool] = field(default_factory=dict)
    """Whether each provider is enabled."""
    accounts: list[Account] = field(default_factory=list)
    halves: list[Half] = field(default_factory=list)
    through: set[str] = field(default_factory=set)
    """The sessions that the organization's own provider has started."""
    acting: list[tuple[SignedInSession, SignedInSession, Account]] = field(default_factory=list)
    """Sessions in which somebody acts as a user, each with the actor's own session and the user."""

    def asked(self, account: Account) -> set[str]:
        """Returns the enrolled factors that the policy asks this user for."""
        enrolled = {"totp"} if account.totp else set()
        if account.passkeys:
            enrolled.add("passkey")
        if self.policy == "off" or (self.policy == "optional" and "totp" not in enrolled):
            return set()
        return enrolled

    def expected(
        self,
        account: Account,
        shown: set[str],
        *,
        devices: list[str],
        through_organization: bool = False,
    ) -> Outcome:
        """Returns what a sign-in of this user becomes at most."""
        if account.closed:
            return "refused"
        if self.sso and account.member and not through_organization:
            return "refused"
        if shown & SECOND:
            return "full"
        if self.asked(account):
            return "full" if account.skips(devices) else "mfa_required"
        return "mfa_setup_required" if self.policy == "required" else "full"
