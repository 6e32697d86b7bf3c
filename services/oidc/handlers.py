"""Every contract of the service and who answers it."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts.base import Request
from common.contracts.clients import (
    CreateClient,
    DeleteClient,
    DeleteClientSecret,
    GetClient,
    ListClients,
    ListClientSecrets,
    RotateClientSecret,
    UpdateClient,
)
from common.contracts.oidc import (
    Authorize,
    CheckAccessToken,
    EnsureKeys,
    ExchangeToken,
    GetConfiguration,
    GetJwks,
    GetUserinfo,
    IntrospectToken,
    ResumeAuthorization,
    RevokeToken,
    RotateKeys,
)
from oidc import access_tokens, authorize, clients, configuration, introspect, keys, token, userinfo

HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    # the protocol
    Authorize: authorize.start,
    ResumeAuthorization: authorize.resume,
    ExchangeToken: token.exchange,
    GetUserinfo: userinfo.get,
    CheckAccessToken: access_tokens.check,
    IntrospectToken: introspect.introspect,
    RevokeToken: introspect.revoke,
    GetConfiguration: configuration.get,
    # keys
    EnsureKeys: keys.ensure,
    GetJwks: keys.jwks,
    RotateKeys: keys.rotate,
    # clients
    CreateClient: clients.create,
    ListClients: clients.list_,
    GetClient: clients.get,
    UpdateClient: clients.update,
    DeleteClient: clients.delete,
    ListClientSecrets: clients.list_secrets,
    RotateClientSecret: clients.rotate_secret,
    DeleteClientSecret: clients.delete_secret,
}
