"""Signing keys: the published set and its rotation (RFC 7517)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, SYSTEM, Contract, Done, Request
from common.contracts.fields import Timestamp
from common.problems import Conflict

SigningAlg = Literal["RS256", "PS256", "ES256", "EdDSA"]


class EnsureKeys(Request[Done], subject="oidc.key.ensure", needs=SYSTEM, within=10.0, safe=True):
    """Creates the signing keys of a new application. Idempotent."""


class Jwks(Contract):
    """The public signing keys (RFC 7517 section 5)."""

    keys: list[dict[str, str]]


class GetJwks(Request[Jwks], subject="oidc.key.list", needs=OPEN, within=2.0, safe=True):
    """Returns the public signing keys: GET /oauth2/jwks.json."""


class WaitingKey(Contract):
    """A published key that does not sign yet."""

    kid: str
    alg: str
    signs_at: Timestamp


class PublishedKey(Contract):
    """A signing key, without its private part."""

    kid: str
    alg: str
    state: Literal["next", "active", "retiring"] = Field(
        description="`next` is published and does not sign yet, `active` signs, and `retiring` "
        "only verifies."
    )
    created_at: Timestamp
    signs_at: Timestamp = Field(description="The time from which it signs.")
    replaced_at: Timestamp | None = Field(
        default=None, description="Of an active key: the time at which its successor is due."
    )
    retires_at: Timestamp | None = Field(
        default=None, description="Of a retiring key: the time until which it verifies."
    )


class PublishedKeys(Contract):
    """The signing keys of an application, by algorithm, the oldest first."""

    signing_keys: list[PublishedKey]


class ListSigningKeys(
    Request[PublishedKeys], subject="oidc.signing_key.list", needs="settings:read", safe=True
):
    """Lists the published signing keys with their state and the time of their rotation."""


class RotatedKeys(Contract):
    """The published keys after a rotation."""

    keys: list[dict[str, str]]
    published: list[str] = Field(description="The ids of the new keys.")
    waiting: list[WaitingKey] = Field(
        description="The keys that do not sign yet. Their algorithms got no new key."
    )


class RotateKeys(Request[RotatedKeys], subject="oidc.key.rotate", needs=SYSTEM, within=10.0):
    """Rotates the signing keys. New keys are published first, and sign once relying parties had
    time to fetch them. With `now` they sign at once, for a key that has leaked. An algorithm gets
    no new key while a published key of it does not sign yet."""

    alg: str | None = Field(default=None, description="Only this algorithm; by default all.")
    now: bool = False


class TooManySigningKeys(Conflict):
    """So many replaced keys still verify that no other one may join them."""

    code = "too_many_signing_keys"
    title = "Too many replaced keys still verify. Wait until one of them has ended."


class RotateSigningKeys(
    Request[PublishedKeys],
    subject="oidc.signing_key.rotate",
    needs="settings:write",
    within=10.0,
    fresh=True,
):
    """Rotates the signing keys of the application, and returns the published ones. By default, new keys
    are published first and sign later. With `now` they sign at once. Needs a fresh sign-in. Sent again
    within a minute, it rotates nothing. Raises TooManySigningKeys, FreshSignInNeeded."""

    alg: SigningAlg | None = Field(
        default=None, description="Only this algorithm. Default: all that the application uses."
    )
    now: bool = Field(
        default=False,
        description="Whether the new keys sign at once, because a key has leaked. Otherwise they sign "
        "once relying parties had time to fetch them.",
    )
