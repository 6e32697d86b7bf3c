"""A request to the token endpoint, after the client has authenticated."""

from __future__ import annotations

from dataclasses import dataclass

from oidc.bindings import Binding
from oidc.oauth_parameters import OAuthParameters
from oidc.queries.clients import RegisteredClient


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The client and the parameters that redeem a grant. `cnf` is what the request has proven to hold: the new tokens are bound
    to it."""

    client: RegisteredClient
    parameters: OAuthParameters
    cnf: Binding | None = None
