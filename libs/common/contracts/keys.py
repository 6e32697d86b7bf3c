"""Signing keys: the published set and its rotation (RFC 7517)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, SYSTEM, Contract, Done, Request
from common.contracts.fields import Timestamp

SigningAlg = Literal["RS256", "PS256", "ES256", "EdDSA"]


class EnsureKeys(Request[Done], subject="oidc.key.ensure", needs=SYSTEM, within=10.0, safe=True):
    """Make the signing keys a new application starts with. Idempotent."""


class Jwks(Contract):
    """RFC 7517 section 5: public keys only."""

    keys: list[dict[str, str]]


class GetJwks(Request[Jwks], subject="oidc.key.list", needs=OPEN, within=2.0, safe=True):
    """GET /oauth2/jwks.json."""


class WaitingKey(Contract):
    """A key that was published before and does not sign yet."""

    kid: str
    alg: str
    signs_at: Timestamp


class RotatedKeys(Contract):
    """All published keys, those that this call published, and those that kept it from more."""

    keys: list[dict[str, str]]
    published: list[str] = Field(description="Ids of the keys that are new.")
    waiting: list[WaitingKey] = Field(description="For their algorithms nothing was published.")


class RotateKeys(Request[RotatedKeys], subject="oidc.key.rotate", needs=SYSTEM, within=10.0):
    """Replace the signing keys. The next keys are published first and sign once relying parties
    had time to fetch them; `now` lets them sign at once, for a key that leaked. While the next key
    of an algorithm still waits, none is made."""

    alg: str | None = Field(default=None, description="Only this algorithm; by default all.")
    now: bool = False
