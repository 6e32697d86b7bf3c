"""An authorization request while it is looked at: each step fills in what it has found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from common.contracts.authorization import Params, SignedIn
from oidc.params import Given, gathered
from oidc.queries.authorization_requests import Pending
from oidc.queries.clients import Registered


@dataclass(slots=True)
class AuthorizationRequest:
    """`pending` is set when a request is taken up again after an interaction. `contexts` are the
    wanted classes of sign-in, `acr` is the one that the tokens will tell of, `unmet` the wished
    ones that the person was asked for just now and has not given."""

    params: Params
    given: Given
    session: SignedIn | None
    pending: Pending | None = None
    consent: Literal["allow", "deny"] | None = None
    selected: bool = False
    others: list[SignedIn] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    unseen: bool = False
    name: str = ""

    redirect_uri: str = ""
    redirect_uri_given: bool = True
    response_mode: str = "query"
    scopes: list[str] = field(default_factory=list)
    claim_scopes: list[str] = field(default_factory=list)
    resource: list[str] = field(default_factory=list)
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None
    claims: dict[str, Any] | None = None
    hinted_sub: str | None = None
    contexts: list[str] = field(default_factory=list)
    context_essential: bool = False
    acr: str | None = None
    unmet: list[str] = field(default_factory=list)
    _client: Registered | None = None

    @classmethod
    def of(cls, params: Params, session: SignedIn | None) -> AuthorizationRequest:
        return cls(params, gathered(params), session)

    @property
    def client(self) -> Registered:
        assert self._client is not None, "the first step finds the client"
        return self._client

    @client.setter
    def client(self, client: Registered) -> None:
        self._client = client

    @property
    def consent_scopes(self) -> list[str]:
        """What the user has to allow: the scopes, and those that give what `claims` asks for."""
        return [*self.scopes, *self.claim_scopes]

    @property
    def silent(self) -> bool:
        """Nobody may be shown anything (prompt=none)."""
        return "none" in self.prompts

    def prompted(self, name: str) -> bool:
        """Whether the person has been sent to do this already."""
        return self.pending is not None and name in self.pending.prompted
