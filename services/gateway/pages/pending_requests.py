"""Authorization requests that wait at the oidc service while the user signs in.

Each page of a sign-in looks whether its request still waits. For a few seconds after it is known that it
does, the gateway does not ask again: the pages of a sign-in come one after the other. Only a page depends on
it. Whether the request may continue is decided by the oidc service when the user has signed in.
"""

from __future__ import annotations

from typing import Final

from common.contracts.authorization import AuthorizationState, GetAuthorizationState
from gateway.http.request import GatewayRequest
from gateway.state import Gateway

MAX_NAME: Final = 200
"""Characters of the name of a request, as in its contract."""


def remember(gateway: Gateway, request: GatewayRequest, name: str) -> None:
    """Remembers that a request waits, until a client of the application changes."""
    tags = [("client", "any"), ("application", request.app.app_id)]
    gateway.pending_requests.put(_key(request, name), True, tags)


def forget(gateway: Gateway, request: GatewayRequest, name: str) -> None:
    """Forgets what is known about a request, because it continues now."""
    gateway.pending_requests.forget(_key(request, name))


async def state_of(gateway: Gateway, request: GatewayRequest, name: str) -> AuthorizationState:
    """Returns whether a request waits, and the way back to its client if it does not."""
    if len(name) > MAX_NAME:
        return AuthorizationState(pending=False)
    if gateway.pending_requests.get(_key(request, name)):
        return AuthorizationState(pending=True)
    state = await gateway.bus.call(request.context(), GetAuthorizationState(request=name))
    if state.pending:
        remember(gateway, request, name)
    return state


def _key(request: GatewayRequest, name: str) -> tuple[str, str, str]:
    return request.app.app_id, "pending", name
