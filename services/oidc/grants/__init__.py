"""What can be exchanged for tokens: one grant a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from common.context import Context
from common.contracts.tokens import Tokens
from oidc.deps import Deps
from oidc.grants import authorization_code, client_credentials, refresh_token
from oidc.params import Given
from oidc.queries.clients import Registered

Grant = Callable[[Deps, Context, Registered, Given], Awaitable[Tokens]]

GRANTS: Final[dict[str, Grant]] = {
    "authorization_code": authorization_code.handle,
    "refresh_token": refresh_token.handle,
    "client_credentials": client_credentials.handle,
}
