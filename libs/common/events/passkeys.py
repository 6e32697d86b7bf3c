"""Passkeys."""

from __future__ import annotations

from common.events.base import Event


class PasskeyAdded(Event, type="passkey_added"):
    """A passkey was added to an account. `rp_id` is the host that it was made on."""

    user_id: str
    passkey_id: str
    name: str
    rp_id: str


class PasskeyRemoved(Event, type="passkey_removed"):
    """A passkey was removed, by its user or by an administrator."""

    user_id: str
    passkey_id: str
    name: str


class PasskeyRenamed(Event, type="passkey_renamed"):
    """A user renamed a passkey."""

    user_id: str
    passkey_id: str
    name: str


class PasskeyAttemptFailed(Event, type="passkey_refused"):
    """A passkey was not accepted. `purpose` is what it was shown for, and `reason` what was wrong
    with it. The visitor does not see `reason`. With `counter`, the passkey may have been copied."""

    purpose: str
    reason: str
    passkey_id: str | None = None
