"""Rights of users and clients on a NATS server that asks Aero2 (auth callout)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from common.contracts.base import SYSTEM, Contract, Id, Request

_NAME = r"(?:[A-Za-z0-9_=/-]|\{(?:app_id|user_id|org_id|client_id)\})+"
NatsSubject: TypeAlias = Annotated[
    str,
    Field(
        pattern=rf"^(?:\$(?:JS|KV|O|SRV)\.)?(?:(?:\*|{_NAME})\.)*(?:\*|>|{_NAME})$",
        max_length=200,
        examples=["orders.{org_id}.>"],
    ),
]
"""A subject with wildcards (`*`, `>`). `{app_id}`, `{user_id}`, `{org_id}` and `{client_id}` stand for the
ids of the one who connects. Never below `$SYS`, which is of the server."""


class NatsRules(Contract):
    """Subjects that are allowed and subjects that are not. A denied subject is denied, whatever allows
    it. A subject that nothing allows is denied, too."""

    allow: list[NatsSubject] = Field(default=[], max_length=100)
    deny: list[NatsSubject] = Field(default=[], max_length=100)


class NatsSubjects(Contract):
    """The subjects of a role on a NATS server that asks Aero2."""

    publish: NatsRules = NatsRules()
    subscribe: NatsRules = NatsRules()
    allow_responses: bool = Field(
        default=False, description="Whether they may answer each request that they receive once."
    )
    clients: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default=[],
        max_length=100,
        description="Ids of OAuth clients that may do the same with tokens of their own (client "
        "credentials). Only in roles of the application.",
    )


class GrantedSubjects(Contract):
    """Subjects without names in them. A subject that nothing allows is denied."""

    allow: list[str] = []
    deny: list[str] = []


class NatsRights(Contract):
    """The subjects of everything that gives somebody subjects, with the ids of the one who asks in
    place of their names. Without any allowed subject, they may not connect."""

    publish: GrantedSubjects = GrantedSubjects()
    subscribe: GrantedSubjects = GrantedSubjects()
    allow_responses: bool = False


class GetNatsRights(
    Request[NatsRights], subject="rbac.nats_rights.get", needs=SYSTEM, within=1.0, safe=True
):
    """Returns what a user may do, also in an organization to which they belong, or what a client may do
    that acts for itself."""

    user_id: Id | None = None
    org_id: Id | None = None
    client_id: str | None = Field(default=None, max_length=2000)
