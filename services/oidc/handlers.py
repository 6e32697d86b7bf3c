"""Every contract of the service and who answers it."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts.base import Request
from common.contracts.clients import (
    CreateClient,
    CreateResource,
    CreateScope,
    DeleteClient,
    DeleteClientSecret,
    DeleteResource,
    DeleteScope,
    GetClient,
    ListClientGrants,
    ListClients,
    ListClientSecrets,
    ListMyGrants,
    ListOrigins,
    ListResources,
    ListScopes,
    RevokeClientGrants,
    RevokeMyGrant,
    RotateClientSecret,
    UpdateClient,
)
from common.contracts.oidc import (
    Authorize,
    CheckAccessToken,
    EnsureKeys,
    ExchangeToken,
    GetAuthorizationState,
    GetConfiguration,
    GetJwks,
    GetUserinfo,
    IntrospectToken,
    LogOut,
    ResumeAuthorization,
    RevokeToken,
    RotateKeys,
)
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
