"""Assertions that identity providers sign about our users (RFC 7523, ID-JAG)."""

from __future__ import annotations

from pydantic import Field, JsonValue

from common.contracts.base import SYSTEM, Contract, Id, Request


class AssertedUser(Contract):
    """The user whom an assertion is about, and its claims. An identity provider of the application signed
    it for this issuer. Whether it was used before is not checked.

    `id_jag`: it is an Identity Assertion JWT Authorization Grant, with `client_id`, and with `resource`
    and `scope` if it is limited to them. Times are in epoch seconds.
    """

    provider_id: Id
    iss: str
    jti: str
    expires_at: int
    auth_time: int
    user_id: Id
    user_epoch: int
    id_jag: bool
    client_id: str | None = None
    resource: list[str] | None = None
    scope: str | None = None
    amr: list[str] = []
    act: dict[str, JsonValue] | None = None
    may_act: dict[str, JsonValue] | None = None


class VerifyAssertion(
    Request[AssertedUser],
    subject="identity.assertion.verify",
    needs=SYSTEM,
    within=4.0,
    safe=True,
):
    """Verifies an assertion of one of these identity providers, and finds its user by the identity link.
    Raises InvalidGrant with the reason."""

    assertion: str = Field(max_length=40_000, repr=False)
    provider_ids: list[Id] = Field(max_length=100)
