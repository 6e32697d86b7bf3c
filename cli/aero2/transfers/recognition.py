"""Which keys go along with an application, so that its sessions, tokens and keys are recognized elsewhere.

A hash in the database is an HMAC under a key that is derived from a recognition key for one kind of secret
(docs/adr/0009). Only keys that compare something random with its hash go along. Everything that *makes*
something stays: the recognition key itself, and what is derived from it for successors of refresh tokens, form
tokens and proofs. So does what recognizes texts that can be guessed: addresses and six-digit codes.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from aero2.failures import CommandError
from common.audit_chain import public_key
from common.crypto import ImportedKey, Keys, b64url
from common.master_keys import MasterKey
from common.sealing import unb64

LOOKED_UP: Final = frozenset(
    {
        *("session", "half_session", "remembered", "device", "browser"),
        *("recovery_code", "webauthn", "provider_state", "link_proof"),
        *("link", "invitation", "org_invitation"),
        *("api_key", "refresh", "access", "authorization-request", "device-code"),
        *("registration", "initial-access-token"),
        "pushed-request",
    }
)
"""Kinds of secrets that the database finds by their hash: each has 120 random bits or more, or, for a
device, is a name that says nothing."""
STAYS: Final = {
    "otp": "six digits can be guessed by a reader of key and hash; a new code is sent",
    "lockout": "an address can be guessed; lockouts begin again",
    "limit": "an address can be guessed; limits begin again",
    "user-code": "eight letters can be guessed; a device that waits starts again",
    "user_search": "names an address in a log of this deployment",
}
"""Kinds that are hashed, and whose key stays, with the reason."""
NAMES: Final = ("pairwise", "sid")
"""Names that must never change: the key of an application's first names goes along."""
MOST_KEYS: Final = 64


class TravellingKey(BaseModel):
    """The part of an export for one master key of the source: keys by kind of secret, base64url."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[0-9A-Za-z]{1,16}$")
    audit_key: str = Field(pattern=r"^[0-9A-Za-z_-]{43}$")
    purposes: dict[str, str] = Field(max_length=64)

    def opened(self) -> dict[str, bytes]:
        """Returns the keys by kind of secret. Raises CommandError for a kind that never goes along."""
        if strange := sorted(self.purposes.keys() - LOOKED_UP - set(NAMES)):
            raise CommandError(f"The file has keys for {', '.join(strange)}, which never go along.")
        keys = {purpose: unb64(text) for purpose, text in self.purposes.items()}
        if any(len(key) != 32 for key in keys.values()):
            raise CommandError("A key in the file has another length.")
        return keys


def travelling_keys(
    keys: Keys, stored: list[MasterKey], app_id: str, *, pairwise: bool
) -> list[TravellingKey]:
    """Returns what goes along with an application, the eldest first: keys that it once came with, and this
    deployment's own. `pairwise` says whether a client knows its users by pairwise subjects."""
    imported = [key for key in keys.imported if key.app_id == app_id]
    ids = dict.fromkeys([*(key.id for key in imported), *(row.id for row in stored)])
    audit_keys = {key.id: key.audit_key for key in imported} | {
        row.id: row.audit_key for row in stored
    }
    names = [name for name in NAMES if pairwise or name != "pairwise"]
    result = []
    for id in ids:
        purposes = [label for label in sorted(LOOKED_UP) if _has(keys, label, id)]
        purposes += [name for name in names if keys.first_of(app_id, name) == id]
        encoded = {label: b64url(keys.purpose_key(label, id)) for label in purposes}
        result.append(TravellingKey(id=id, audit_key=audit_keys[id], purposes=encoded))
    return result


def _has(keys: Keys, label: str, id: str) -> bool:
    try:
        keys.purpose_key(label, id)
    except KeyError:
        return False
    return True


def refuse_other_keys(keys: Keys, travelling: list[TravellingKey]) -> None:
    """Raises CommandError if this deployment has another key by the name of one in the file: a hash says by
    that name which key made it."""
    own_ids = [id for id, _ in (*keys.masters, *keys.retired)]
    audit_keys = dict(keys.retired_audit_keys) | {
        kid: public_key(keys, kid) for kid, _ in keys.masters
    }
    for key in travelling:
        own = ImportedKey("", key.id, {}, audit_keys.get(key.id, "")) if key.id in own_ids else None
        others = [own] if own else [each for each in keys.imported if each.id == key.id]
        for other in others:
            same = all(
                not _has(keys, label, key.id) or keys.purpose_key(label, key.id) == secret
                for label, secret in key.opened().items()
            )
            if not same or other.audit_key != key.audit_key:
                raise CommandError(
                    f"Both deployments have a master key named {key.id}, and they are not the same "
                    "key. Hashes name their key, so this application cannot be imported here."
                )
