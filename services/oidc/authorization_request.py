"""An authorization request while the steps of the endpoint check it.

Each step reads what the steps before it have set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from common.contracts.authorization import Params, SignedIn
from oidc.oauth_parameters import OAuthParameters, by_name
from oidc.queries.authorization_requests import PendingAuthorization
from oidc.queries.clients import RegisteredClient
from oidc.queries.device_codes import DeviceCode


@dataclass(slots=True)
class AuthorizationRequest:
    """The parameters, the browser's sessions, and the results of the steps.

    `params` are the parameters as the client sent them, and `parameters` the same by name.
    `pending` and `request_id` are set when a stored request is resumed. `unseen`, `others` and
    `choices` are those of the contract `Authorize`.

    `acr_values` are the requested classes of sign-in (OpenID Connect Core section 5.5.1.1). `acr`
    is the class that the tokens will name. `unmet_acr_values` are those that the user was asked
    for in this request and did not reach.

    `pushed_hash` names the pushed request that the browser came with. `signed`: the parameters were in
    a request object, whose `jti` has `jti_hash`. `pushing`: the client pushes the request now.
    `checking`: nobody makes the request, so nothing may change. `cnf` is what the client must prove to
    redeem the code. `device` is the one that the user decides on (RFC 8628). `document_pending`: the
    client's metadata document is not known yet.
    """

    params: Params
    parameters: OAuthParameters
    session: SignedIn | None
    pending: PendingAuthorization | None = None
    request_id: str = ""
    consent: Literal["allow", "deny"] | None = None
    selected: bool = False
    others: list[SignedIn] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    unseen: bool = False

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
    acr_values: list[str] = field(default_factory=list)
    acr_essential: bool = False
    acr: str | None = None
    unmet_acr_values: list[str] = field(default_factory=list)
    pushed_hash: str | None = None
    signed: bool = False
    jti_hash: str | None = None
    pushing: bool = False
    checking: bool = False
    cnf: dict[str, str] | None = None
    device: DeviceCode | None = None
    document_pending: bool = False
    _client: RegisteredClient | None = None

    @classmethod
    def from_parameters(cls, params: Params, session: SignedIn | None) -> AuthorizationRequest:
        """Returns a request that no step has checked."""
        return cls(params, by_name(params), session)

    @classmethod
    def resumed(
        cls, pending: PendingAuthorization, request_id: str, session: SignedIn | None
    ) -> AuthorizationRequest:
        """Returns a stored request that no step has checked since it was resumed."""
        request = cls.from_parameters([(name, value) for name, value in pending.params], session)
        request.pending, request.request_id = pending, request_id
        request.pushed_hash, request.signed = pending.pushed_hash, pending.signed
        request.jti_hash = pending.jti_hash
        return request

    @property
    def client(self) -> RegisteredClient:
        """The client. The first step, `client_is_known`, sets it."""
        assert self._client is not None, "client_is_known has not run"
        return self._client

    @client.setter
    def client(self, client: RegisteredClient) -> None:
        self._client = client

    @property
    def may_fetch_document(self) -> bool:
        """Whether a client's metadata document may be fetched: for somebody who has signed in, because
        anybody can make an address up."""
        return self.checking or (self.session is not None and not self.session.guest)

    @property
    def consent_scopes(self) -> list[str]:
        """The scopes that the user has to allow: requested, or needed by the `claims` parameter."""
        return [*self.scopes, *self.claim_scopes]

    @property
    def is_pushed(self) -> bool:
        """Whether the client has pushed the request, or does so now."""
        return self.pushing or self.pushed_hash is not None

    @property
    def makes_one_code(self) -> bool:
        """Whether the client may come with this request several times, and only one gets a code."""
        return self.pushed_hash is not None or self.jti_hash is not None

    @property
    def silent(self) -> bool:
        """Whether no page may be shown (`prompt=none`, OpenID Connect Core section 3.1.2.1)."""
        return "none" in self.prompts

    def was_prompted(self, step: str) -> bool:
        """Returns whether the user was sent to this step before, in the same request."""
        return self.pending is not None and step in self.pending.prompted
