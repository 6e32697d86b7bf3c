"""Exchange policies: the tokens and assertions that a client may exchange (RFC 8693, RFC 7523)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Request
from common.contracts.fields import Timestamp, Uri, Visible
from common.contracts.scopes import ScopeName
from common.problems import Conflict, NotFound


class ExchangePolicyNotFound(NotFound):
    """The client has no exchange policy with this id."""

    code, title = "exchange_policy_not_found", "This exchange policy does not exist."


class ExchangePolicyExists(Conflict):
    """The client has an exchange policy for this source and audience."""

    code = "exchange_policy_exists"
    title = "The client has an exchange policy for these tokens already. Delete it first."


class TooManyExchangePolicies(Conflict):
    """The client has as many exchange policies as it can have."""

    code, title = "too_many_exchange_policies", "There are too many exchange policies."


class ExchangePolicyFields(Contract):
    """Which tokens a client may exchange, and for what. Either `subject_client` or `provider` is set."""

    subject_client: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="The `client_id` of the client whose tokens may be exchanged. It can be the client "
        "itself, for tokens with fewer rights.",
    )
    provider: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="The `id` or `name` of the identity provider whose assertions may be exchanged.",
    )
    resources: list[Uri] = Field(
        default=[],
        max_length=20,
        description="The APIs that the new tokens may be for, by their identifiers.",
    )
    scopes: list[ScopeName] = Field(
        default=[],
        max_length=100,
        description="The scopes that the new tokens may have. They never have more than the token that "
        "is exchanged.",
    )
    audience: Uri | None = Field(
        default=None,
        description="The issuer of another authorization server. The client then gets assertions for "
        "it (ID-JAG) and no access tokens, and `resources` and `scopes` are names of that server.",
    )
    audience_client_id: Annotated[str, Field(min_length=1, max_length=200), Visible] | None = Field(
        default=None,
        description="The `client_id` of the client at that server. `null`: the same as here.",
    )


class ExchangePolicy(ExchangePolicyFields):
    """An exchange policy of a client. `provider` is the id of the identity provider."""

    id: Id
    client_id: str
    created_at: Timestamp


class ExchangePolicies(Contract):
    """The exchange policies of a client."""

    policies: list[ExchangePolicy]


class ListExchangePolicies(
    Request[ExchangePolicies], subject="oidc.exchange_policy.list", needs="clients:read", safe=True
):
    """Lists what a client may exchange. Raises ClientNotFound."""

    client: str = Field(max_length=200)


class CreateExchangePolicy(
    ExchangePolicyFields,
    Request[ExchangePolicy],
    subject="oidc.exchange_policy.create",
    needs="clients:write",
    fresh=True,
):
    """Lets a client exchange tokens. The caller must hold every right that the tokens can have. Raises
    ClientNotFound, ProviderNotFound, ExchangePolicyExists, TooManyExchangePolicies."""

    client: str = Field(max_length=200)


class DeleteExchangePolicy(
    Request[Done], subject="oidc.exchange_policy.delete", needs="clients:write"
):
    """Deletes an exchange policy. The client gets no more tokens by it. Raises ClientNotFound,
    ExchangePolicyNotFound."""

    client: str = Field(max_length=200)
    policy_id: Id
