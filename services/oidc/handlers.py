"""Every contract of the service with its handler."""

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
    client_secrets,
    clients,
    configuration,
    consents,
    introspection,
    keys,
    logout,
    resources,
    revocation,
    scopes,
    token_endpoint,
    userinfo,
)

HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    # OAuth and OpenID Connect endpoints
    Authorize: authorize.start,
    ResumeAuthorization: authorize.resume,
    GetAuthorizationState: authorize.get_state,
    ExchangeToken: token_endpoint.exchange,
    GetUserinfo: userinfo.get,
    CheckAccessToken: access_tokens.check,
    IntrospectToken: introspection.introspect,
    RevokeToken: revocation.revoke,
    LogOut: logout.log_out,
    GetConfiguration: configuration.get,
    # signing keys
    EnsureKeys: keys.ensure,
    GetJwks: keys.get_jwks,
    RotateKeys: keys.rotate,
    # clients and their secrets
    CreateClient: clients.create,
    ListClients: clients.list_,
    ListOrigins: clients.list_origins,
    GetClient: clients.get,
    UpdateClient: clients.update,
    DeleteClient: clients.delete,
    ListClientSecrets: client_secrets.list_,
    RotateClientSecret: client_secrets.rotate,
    DeleteClientSecret: client_secrets.delete,
    # consents
    ListClientGrants: consents.list_of_client,
    RevokeClientGrants: consents.revoke_of_client,
    ListMyGrants: consents.list_own,
    RevokeMyGrant: consents.revoke_own,
    # resources and scopes
    CreateResource: resources.create,
    ListResources: resources.list_,
    DeleteResource: resources.delete,
    CreateScope: scopes.create,
    ListScopes: scopes.list_,
    DeleteScope: scopes.delete,
}
