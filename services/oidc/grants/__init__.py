"""The grants that clients exchange for tokens, one in each file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from common.context import Context
from common.contracts.tokens import Tokens
from common.grant_types import DEVICE_CODE
from oidc.deps import Deps
from oidc.grants import (
    authorization_code,
    client_credentials,
    device_code,
    jwt_bearer,
    refresh_token,
    token_exchange,
)
from oidc.token_request import TokenRequest

Grant = Callable[[Deps, Context, TokenRequest], Awaitable[Tokens]]

GRANTS: Final[dict[str, Grant]] = {
    "authorization_code": authorization_code.handle,
    "refresh_token": refresh_token.handle,
    "client_credentials": client_credentials.handle,
    DEVICE_CODE: device_code.handle,
    "urn:ietf:params:oauth:grant-type:token-exchange": token_exchange.handle,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": jwt_bearer.handle,
}
