"""The table of contents: which handler answers which contract."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts.base import Request
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.identities import (
    ListMyIdentities,
    ListUserIdentities,
    UnlinkMyIdentity,
    UnlinkUserIdentity,
)
from common.contracts.invitations import (
    AcceptInvitation,
    GetInvitation,
    InviteUser,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.link_proofs import (
    ConnectProvenAccount,
    FinishLinkProof,
    GetLinkProof,
    SendLinkProofCode,
)
from common.contracts.mail_templates import (
    ListTemplates,
    PreviewTemplate,
    PutTemplate,
    ResetTemplate,
    SendTestMail,
)
from common.contracts.me import (
    ChangeEmail,
    ConfirmEmail,
    DeleteMe,
    ExportMe,
    GetMe,
    UpdateMe,
    VerifyEmail,
)
from common.contracts.owner import ClaimOwner, CreateOwnerLink, GetOwnerLink
from common.contracts.passwords import (
    ChangePassword,
    CheckPassword,
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
from common.contracts.protection import GetProtection
from common.contracts.provider_sign_in import (
    FinishProviderSignIn,
    KeepProviderResponse,
    ListSignInProviders,
    StartProviderLink,
    StartProviderSignIn,
    StartProviderStepUp,
)
from common.contracts.queues import GetQueues
from common.contracts.sessions import (
    ActivateOrganization,
    CheckSession,
    EndSession,
    ListSessions,
    ListUserSessions,
    RevokeAllSessions,
    RevokeOtherSessions,
    RevokeSession,
    RevokeUserSession,
    RevokeUserSessions,
    SignOut,
)
from common.contracts.sign_up import ResendSignUp, SignUp
from common.contracts.user_import import ExportUsers, ImportUsers
from common.contracts.users import (
    CreateUser,
    DeleteUser,
    DisableUser,
    EnableUser,
    FindUser,
    ForceReset,
    GetUser,
    ListUsers,
    UnlockUser,
    UpdateUser,
)
from identity import (
    challenge,
    email_codes,
    identities,
    invitation_acceptance,
    invitations,
    link_proof_steps,
    link_proofs,
    mail_templates,
    me,
    owner_link,
    password_reset,
    passwords,
    provider_sign_in,
    provider_start,
    queues,
    sessions,
    sign_up,
    user_import,
    user_list,
    users,
)

HANDLERS: dict[type[Request[Any]], Handler] = {
    CheckSession: sessions.check,
    ListSessions: sessions.list_own,
    ListUserSessions: sessions.list_of_user,
    RevokeSession: sessions.revoke,
    RevokeOtherSessions: sessions.revoke_others,
    RevokeAllSessions: sessions.revoke_all,
    RevokeUserSession: sessions.revoke_of_user,
    RevokeUserSessions: sessions.revoke_all_of_user,
    SignOut: sessions.sign_out,
    EndSession: sessions.end,
    ActivateOrganization: sessions.activate_organization,
    GetProtection: challenge.get,
    SignUp: sign_up.sign_up,
    ResendSignUp: sign_up.resend,
    SignInWithPassword: passwords.sign_in,
    StartEmailCode: email_codes.start,
    SignInWithCode: email_codes.with_code,
    SignInWithLink: email_codes.with_link,
    Reauthenticate: passwords.confirm,
    CheckPassword: passwords.check,
    ChangePassword: passwords.change,
    StartReset: password_reset.start_reset,
    ResetPassword: password_reset.reset,
    ListSignInProviders: provider_start.list_,
    StartProviderSignIn: provider_start.start_sign_in,
    StartProviderLink: provider_start.start_link,
    StartProviderStepUp: provider_start.start_step_up,
    KeepProviderResponse: provider_sign_in.store_response,
    FinishProviderSignIn: provider_sign_in.finish,
    GetLinkProof: link_proofs.get,
    SendLinkProofCode: link_proof_steps.send_code,
    FinishLinkProof: link_proof_steps.finish,
    ConnectProvenAccount: link_proof_steps.connect,
    ListMyIdentities: identities.list_own,
    UnlinkMyIdentity: identities.remove_own,
    ListUserIdentities: identities.list_of_user,
    UnlinkUserIdentity: identities.remove_of_user,
    GetMe: me.get,
    UpdateMe: me.update,
    ChangeEmail: me.change_email,
    ConfirmEmail: me.confirm_email,
    VerifyEmail: me.verify_email,
    ExportMe: me.export,
    DeleteMe: me.delete,
    CreateUser: users.create,
    ListUsers: user_list.page,
    GetUser: users.get,
    FindUser: users.get_by_email,
    UpdateUser: users.update,
    DeleteUser: users.delete,
    DisableUser: users.disable,
    EnableUser: users.enable,
    ForceReset: users.force_reset,
    UnlockUser: users.unlock,
    ImportUsers: user_import.import_users,
    ExportUsers: user_import.export_users,
    InviteUser: invitations.create,
    ListInvitations: invitations.list_,
    ResendInvitation: invitations.resend,
    RevokeInvitation: invitations.revoke,
    GetInvitation: invitation_acceptance.get,
    AcceptInvitation: invitation_acceptance.accept,
    CreateOwnerLink: owner_link.create,
    GetOwnerLink: owner_link.get,
    ClaimOwner: owner_link.claim,
    GetQueues: queues.get,
    ListTemplates: mail_templates.list_,
    PutTemplate: mail_templates.update,
    ResetTemplate: mail_templates.reset,
    PreviewTemplate: mail_templates.preview,
    SendTestMail: mail_templates.send_test,
}
