"""Every contract of the service and who answers it."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts.authorization import Authorize, GetAuthorizationState, ResumeAuthorization
from common.contracts.base import Request
from common.contracts.client_secrets import (
    DeleteClientSecret,
    ListClientSecrets,
    RotateClientSecret,
)
from common.contracts.clients import (
    CreateClient,
    DeleteClient,
    GetClient,
    ListClients,
    ListOrigins,
    UpdateClient,
)
from common.contracts.consents import (
    ListClientGrants,
    ListMyGrants,
    RevokeClientGrants,
    RevokeMyGrant,
)
from common.contracts.discovery import GetConfiguration
from common.contracts.keys import EnsureKeys, GetJwks, RotateKeys
from common.contracts.logout import LogOut
from common.contracts.resources import CreateResource, DeleteResource, ListResources
from common.contracts.scopes import CreateScope, DeleteScope, ListScopes
from common.contracts.tokens import CheckAccessToken, ExchangeToken, IntrospectToken, RevokeToken
from common.contracts.userinfo import GetUserinfo
from oidc import (
    access_tokens,
    authorize,
    clients,
    configuration,
    consents,
    introspect,
    keys,
    logout,
    resources,
    token,
    userinfo,
)

HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    # the protocol
    Authorize: authorize.start,
    ResumeAuthorization: authorize.resume,
    GetAuthorizationState: authorize.state,
    ExchangeToken: token.exchange,
    GetUserinfo: userinfo.get,
    CheckAccessToken: access_tokens.check,
    IntrospectToken: introspect.introspect,
    RevokeToken: introspect.revoke,
    LogOut: logout.end,
    GetConfiguration: configuration.get,
    # keys
    EnsureKeys: keys.ensure,
    GetJwks: keys.jwks,
    RotateKeys: keys.rotate,
    # clients
    CreateClient: clients.create,
    ListClients: clients.list_,
    ListOrigins: clients.origins,
    GetClient: clients.get,
    UpdateClient: clients.update,
    DeleteClient: clients.delete,
    ListClientSecrets: clients.list_secrets,
    RotateClientSecret: clients.rotate_secret,
    DeleteClientSecret: clients.delete_secret,
    ListClientGrants: consents.of_client,
    RevokeClientGrants: consents.revoke_of_client,
    ListMyGrants: consents.mine,
    RevokeMyGrant: consents.revoke_mine,
    # what tokens are for
    CreateResource: resources.create_resource,
    ListResources: resources.list_resources,
    DeleteResource: resources.delete_resource,
    CreateScope: resources.create_scope,
    ListScopes: resources.list_scopes,
    DeleteScope: resources.delete_scope,
}
