"""The chain over the audit log of one application, and how anybody checks it without us.

Each event's hash covers the hash before it and everything in the event that never changes. The
user's id does change: it becomes null when the user is deleted. So the hash covers a salted digest
of it, `user_ref`, which stays; the salt is handed out only while the id is there.

Heads of the chain are signed with Ed25519 from time to time. docs/audit.md says what this proves.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.crypto import Keys, b64url

DOMAIN: Final = b"aero2-audit-v1\n"
SIGNED: Final = b"aero2-audit-checkpoint-v1\n"
START: Final = bytes(32)
"""The hash before the first event."""
COVERED: Final = (
    "id",
    "event_type",
    "event_data",
    "version",
    "actor_kind",
    "actor_id",
    "session_id",
    "org_id",
    "ip_address",
    "user_agent",
    "trace",
)


def link(app_id: str, seq: int, previous: bytes, event: dict[str, Any]) -> bytes:
    """Returns the hash of an event at its place. `event` has the fields of COVERED, `created_at`
    and `user_ref`."""
    covered = {name: event.get(name) for name in COVERED}
    covered |= {
        "app_id": app_id,
        "seq": seq,
        "created_at": instant(event["created_at"]),
        "user_ref": event.get("user_ref"),
    }
    text = orjson.dumps(covered, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(DOMAIN + previous + text).digest()


def instant(moment: datetime | str) -> str:
    """Returns one text for one moment, however it was written."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def user_ref(keys: Keys, app_id: str, event_id: str, user_id: str) -> str:
    """Returns `<key id>.<digest>`, which differs from event to event."""
    return f"{keys.active}.{_digest(_salt(keys, keys.active, app_id, event_id), user_id)}"


def user_salt(keys: Keys, app_id: str, event_id: str, ref: str) -> str | None:
    """Returns the salt which proves that `ref` stands for the user's id. Returns None if the master
    key of the reference is gone."""
    try:
        return b64url(_salt(keys, ref.partition(".")[0], app_id, event_id))
    except KeyError:
        return None


def stands_for(ref: str, salt: str, user_id: str) -> bool:
    """Returns whether a reference with its salt stands for a user."""
    return ref.partition(".")[2] == _digest(unb64(salt), user_id)


def _salt(keys: Keys, kid: str, app_id: str, event_id: str) -> bytes:
    return keys.digest("audit user", f"{app_id}|{event_id}".encode(), kid)[:16]


def _digest(salt: bytes, user_id: str) -> str:
    return b64url(hashlib.sha256(salt + user_id.encode()).digest())


def unb64(text: str) -> bytes:
    """Returns the bytes of base64url text without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Checkpoint:
    """A signed head: at `created_at` the chain had `seq` events and ended in `hash`."""

    app_id: str
    seq: int
    hash: str
    created_at: datetime | str
    kid: str
    signature: str

    def message(self) -> bytes:
        """Returns the bytes that are signed."""
        return SIGNED + orjson.dumps(
            {
                "app_id": self.app_id,
                "created_at": instant(self.created_at),
                "hash": self.hash,
                "seq": self.seq,
            },
            option=orjson.OPT_SORT_KEYS,
        )


def sign(keys: Keys, app_id: str, seq: int, head: bytes, *, at: datetime) -> Checkpoint:
    """Returns a signed checkpoint of a chain with `seq` events and the hash `head`."""
    unsigned = Checkpoint(app_id, seq, b64url(head), at, keys.active, "")
    signature = _signer(keys, keys.active).sign(unsigned.message())
    return Checkpoint(app_id, seq, b64url(head), at, keys.active, b64url(signature))


def public_keys(keys: Keys, app_id: str | None = None) -> dict[str, str]:
    """Returns the keys that verify checkpoints, raw and base64url, by key id: also retired ones, and of the
    application `app_id` those of the deployment that it came from."""
    made = {kid: public_key(keys, kid) for kid, _ in keys.masters}
    imported = {key.id: key.audit_key for key in keys.imported if key.app_id == app_id}
    return imported | dict(keys.retired_audit_keys) | made


def public_key(keys: Keys, kid: str) -> str:
    """The key that verifies what this master key signs, raw and base64url."""
    raw = _signer(keys, kid).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b64url(raw)


def _signer(keys: Keys, kid: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keys.derive("audit checkpoint", kid))


@dataclass
class Verifier:
    """Takes an export line by line, in its order, in constant memory; then says what was wrong.

    `trusted` are public keys that were got from somewhere else than the file of checkpoints.
    """

    trusted: dict[str, str]
    checkpoints: list[Checkpoint]
    faults: list[str] = field(default_factory=list)
    events: int = 0
    first: int | None = None
    last: int = 0
    _head: bytes = START
    _app: str | None = None
    _due: dict[int, str] = field(default_factory=dict)
    _last_signed: int = 0

    def __post_init__(self) -> None:
        for made in self.checkpoints:
            if self._genuine(made):
                self._due[made.seq] = made.hash
                self._last_signed = max(self._last_signed, made.seq)

    def _genuine(self, checkpoint: Checkpoint) -> bool:
        self._app = self._app or checkpoint.app_id
        key = self.trusted.get(checkpoint.kid)
        if key is None:
            self._fault(f"checkpoint {checkpoint.seq}: no trusted key {checkpoint.kid!r}")
            return False
        try:
            verifier = Ed25519PublicKey.from_public_bytes(unb64(key))
            verifier.verify(unb64(checkpoint.signature), checkpoint.message())
        except (InvalidSignature, ValueError):
            self._fault(f"checkpoint {checkpoint.seq}: the signature is not ours")
            return False
        return True

    def take(self, event: dict[str, Any]) -> None:
        """The next line of the export."""
        try:
            self._take(event)
        except (KeyError, TypeError, ValueError, AttributeError):
            self._fault(f"line {self.events + 1}: not an event of an export")

    def _take(self, event: dict[str, Any]) -> None:
        chain = event["chain"]
        seq, app_id = int(chain["seq"]), event["app_id"]
        previous, claimed = unb64(chain["previous_hash"]), unb64(chain["hash"])
        self._app = self._app or app_id
        if app_id != self._app:
            self._fault(f"event {seq}: of another application")
        if self.first is None:
            self.first = seq
            before = b64url(START) if seq == 1 else self._due.pop(seq - 1, None)
            if before is not None and chain["previous_hash"] != before:
                self._fault(f"event {seq}: does not follow what stood before it")
        elif seq <= self.last:
            self._fault(f"event {seq}: after event {self.last}, out of order")
        elif seq > self.last + 1:
            self._fault(f"events {self.last + 1} to {seq - 1} are missing")
        elif previous != self._head:
            self._fault(f"event {seq}: does not follow event {self.last}")
        if link(app_id, seq, previous, event | {"user_ref": chain.get("user_ref")}) != claimed:
            self._fault(f"event {seq}: changed")
        self._check_user(seq, event, chain)
        if seq in self._due and self._due.pop(seq) != chain["hash"]:
            self._fault(f"event {seq}: differs from its signed checkpoint")
        self._head, self.last, self.events = claimed, max(seq, self.last), self.events + 1

    def _check_user(self, seq: int, event: dict[str, Any], chain: dict[str, Any]) -> None:
        user_id, ref, salt = event.get("user_id"), chain.get("user_ref"), chain.get("user_salt")
        if user_id is not None and ref is None:
            self._fault(f"event {seq}: a user was added")
        elif user_id and ref and salt and not stands_for(ref, salt, user_id):
            self._fault(f"event {seq}: another user")

    def end(self) -> None:
        """Checks, after the last line, that no signed checkpoint is later than the log."""
        if self._last_signed > self.last:
            self._fault(
                f"events {self.last + 1} to {self._last_signed} are missing: a signed checkpoint "
                "knows them"
            )
        for seq in sorted(self._due):
            if self.first is not None and self.first <= seq <= self.last:
                self._fault(f"event {seq}: signed in a checkpoint, not in the file")

    @property
    def sealed(self) -> int:
        """Up to which event a signature stands behind the file."""
        return min(self._last_signed, self.last)

    def _fault(self, text: str) -> None:
        if len(self.faults) < 1000:
            self.faults.append(text)
