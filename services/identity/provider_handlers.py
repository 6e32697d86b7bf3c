"""The handlers of identity providers: their rows, sign-ins with them, and connected accounts."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts.base import Request
from common.contracts.identities import (
    ListMyIdentities,
    ListUserIdentities,
    UnlinkMyIdentity,
    UnlinkUserIdentity,
)
from common.contracts.identity_providers import (
    CheckIdentityProvider,
    CreateIdentityProvider,
    DeleteIdentityProvider,
    GetIdentityProvider,
    ListIdentityProviders,
    ListPublicProviders,
    UpdateIdentityProvider,
)
from common.contracts.link_proofs import (
    ConnectProvenAccount,
    FinishLinkProof,
    GetLinkProof,
    SendLinkProofCode,
)
from common.contracts.provider_assertions import VerifyAssertion
from common.contracts.provider_sign_in import (
    FinishProviderSignIn,
    KeepFormPost,
    StartProviderLink,
    StartProviderSignIn,
    StartProviderStepUp,
)
from common.contracts.provider_tokens import GetProviderToken
from identity import (
    identities,
    identity_providers,
    link_proof_steps,
    link_proofs,
    provider_assertions,
    provider_check,
    provider_sign_in,
    provider_start,
    provider_tokens,
)
from identity.provider_announcements import announced

PROVIDER_HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    StartProviderSignIn: provider_start.start_sign_in,
    StartProviderLink: provider_start.start_link,
    StartProviderStepUp: provider_start.start_step_up,
    KeepFormPost: provider_sign_in.store_response,
    FinishProviderSignIn: provider_sign_in.finish,
    GetLinkProof: link_proofs.get,
    SendLinkProofCode: link_proof_steps.send_code,
    FinishLinkProof: link_proof_steps.finish,
    ConnectProvenAccount: link_proof_steps.connect,
    ListMyIdentities: identities.list_own,
    UnlinkMyIdentity: identities.remove_own,
    ListUserIdentities: identities.list_of_user,
    UnlinkUserIdentity: identities.remove_of_user,
    GetProviderToken: provider_tokens.get,
    ListPublicProviders: identity_providers.list_public,
    ListIdentityProviders: identity_providers.list_,
    GetIdentityProvider: identity_providers.get,
    CreateIdentityProvider: announced(identity_providers.create),
    UpdateIdentityProvider: announced(identity_providers.update),
    DeleteIdentityProvider: announced(identity_providers.delete),
    CheckIdentityProvider: provider_check.check,
    VerifyAssertion: provider_assertions.verify,
}
