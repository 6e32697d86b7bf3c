"""Every contract of the service with its handler."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts.authorization import Authorize, GetAuthorizationState, ResumeAuthorization
from common.contracts.authorization_check import CheckAuthorizationUrl
from common.contracts.base import Request
from common.contracts.client_documents import (
    DeleteClientDocument,
    ListClientDocuments,
    PinClientDocument,
)
from common.contracts.client_origins import ListOrigins
from common.contracts.client_registration import (
    CreateInitialAccessToken,
    DeleteInitialAccessToken,
    DeleteRegistration,
    ListInitialAccessTokens,
    ReadRegistration,
    RegisterClient,
    ReplaceRegistration,
)
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
    UpdateClient,
)
from common.contracts.consents import (
    ListClientGrants,
    ListMyGrants,
    ListUserGrants,
    RevokeClientGrants,
    RevokeMyGrant,
    RevokeUserGrant,
)
from common.contracts.device_authorization import (
    ListMyDeviceSignIns,
    ListUserDeviceSignIns,
    RevokeMyDeviceSignIn,
    RevokeUserDeviceSignIn,
    StartDeviceAuthorization,
    VerifyUserCode,
)
from common.contracts.discovery import GetConfiguration
from common.contracts.exchange_policies import (
    CreateExchangePolicy,
    DeleteExchangePolicy,
    ListExchangePolicies,
)
from common.contracts.keys import (
    EnsureKeys,
    GetJwks,
    ListSigningKeys,
    RotateKeys,
    RotateSigningKeys,
)
from common.contracts.logout import LogOut
from common.contracts.pushed_requests import PushAuthorization
from common.contracts.resources import CreateResource, DeleteResource, ListResources
from common.contracts.scopes import CreateScope, DeleteScope, ListScopes
from common.contracts.tokens import (
    CheckAccessToken,
    CheckBoundAccessToken,
    ExchangeToken,
    IntrospectToken,
    RevokeToken,
)
from common.contracts.userinfo import GetUserinfo
from oidc import (
    access_token_check,
    authorization_check,
    authorize,
    client_secrets,
    clients,
    configuration,
    consents,
    device_sign_ins,
    device_start,
    device_verification,
    exchange_policies,
    initial_access_tokens,
    introspection,
    keys,
    logout,
    pinned_documents,
    published_keys,
    pushed_requests,
    registration,
    registration_management,
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
    CheckAuthorizationUrl: authorization_check.check,
    PushAuthorization: pushed_requests.push,
    ExchangeToken: token_endpoint.exchange,
    GetUserinfo: userinfo.get,
    CheckAccessToken: access_token_check.check,
    CheckBoundAccessToken: access_token_check.check_bound,
    IntrospectToken: introspection.introspect,
    RevokeToken: revocation.revoke,
    LogOut: logout.log_out,
    GetConfiguration: configuration.get,
    # signing keys
    EnsureKeys: keys.ensure,
    GetJwks: keys.get_jwks,
    ListSigningKeys: published_keys.list_,
    RotateKeys: keys.rotate,
    RotateSigningKeys: published_keys.rotate,
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
    ListUserGrants: consents.list_of_user,
    RevokeUserGrant: consents.revoke_of_user,
    ListMyGrants: consents.list_own,
    RevokeMyGrant: consents.revoke_own,
    # resources and scopes
    CreateResource: resources.create,
    ListResources: resources.list_,
    DeleteResource: resources.delete,
    CreateScope: scopes.create,
    ListScopes: scopes.list_,
    DeleteScope: scopes.delete,
    # device authorization
    StartDeviceAuthorization: device_start.start,
    VerifyUserCode: device_verification.verify,
    ListUserDeviceSignIns: device_sign_ins.list_of_user,
    RevokeUserDeviceSignIn: device_sign_ins.revoke_of_user,
    ListMyDeviceSignIns: device_sign_ins.list_own,
    RevokeMyDeviceSignIn: device_sign_ins.revoke_own,
    # metadata documents of clients
    ListClientDocuments: pinned_documents.list_,
    PinClientDocument: pinned_documents.pin,
    DeleteClientDocument: pinned_documents.delete,
    # clients that register themselves
    RegisterClient: registration.register,
    ReadRegistration: registration_management.read,
    ReplaceRegistration: registration_management.replace,
    DeleteRegistration: registration_management.delete,
    CreateInitialAccessToken: initial_access_tokens.create,
    ListInitialAccessTokens: initial_access_tokens.list_,
    DeleteInitialAccessToken: initial_access_tokens.delete,
    # token exchange
    ListExchangePolicies: exchange_policies.list_,
    CreateExchangePolicy: exchange_policies.create,
    DeleteExchangePolicy: exchange_policies.delete,
}
