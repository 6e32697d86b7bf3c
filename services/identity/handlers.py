"""The table of contents: which handler answers which contract."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts import identity as asked
from common.contracts.base import Request
from identity import (
    email_codes,
    invitations,
    me,
    owner,
    passwords,
    protection,
    sessions,
    sign_up,
    users,
)

HANDLERS: dict[type[Request[Any]], Handler] = {
    asked.CheckSession: sessions.check,
    asked.ListSessions: sessions.mine,
    asked.ListUserSessions: sessions.of_user,
    asked.RevokeSession: sessions.revoke,
    asked.RevokeOtherSessions: sessions.revoke_others,
    asked.RevokeAllSessions: sessions.revoke_all,
    asked.RevokeUserSession: sessions.revoke_of_user,
    asked.RevokeUserSessions: sessions.revoke_all_of_user,
    asked.SignOut: sessions.sign_out,
    asked.EndSession: sessions.end,
    asked.ActivateOrganization: sessions.activate_organization,
    asked.GetProtection: protection.get,
    asked.SignUp: sign_up.sign_up,
    asked.SignInWithPassword: passwords.sign_in,
    asked.StartEmailCode: email_codes.start,
    asked.SignInWithCode: email_codes.with_code,
    asked.SignInWithLink: email_codes.with_link,
    asked.Reauthenticate: passwords.confirm,
    asked.CheckPassword: passwords.check,
    asked.ChangePassword: passwords.change,
    asked.StartReset: passwords.start_reset,
    asked.ResetPassword: passwords.reset,
    asked.GetMe: me.get,
    asked.UpdateMe: me.update,
    asked.ChangeEmail: me.change_email,
    asked.ConfirmEmail: me.confirm_email,
    asked.VerifyEmail: me.verify_email,
    asked.ExportMe: me.export,
    asked.DeleteMe: me.delete,
    asked.CreateUser: users.create,
    asked.ListUsers: users.page,
    asked.GetUser: users.get,
    asked.FindUser: users.find,
    asked.UpdateUser: users.update,
    asked.DeleteUser: users.delete,
    asked.DisableUser: users.disable,
    asked.EnableUser: users.enable,
    asked.ForceReset: users.force_reset,
    asked.UnlockUser: users.unlock,
    asked.InviteUser: invitations.invite,
    asked.ListInvitations: invitations.page,
    asked.ResendInvitation: invitations.resend,
    asked.RevokeInvitation: invitations.revoke,
    asked.GetInvitation: invitations.get,
    asked.AcceptInvitation: invitations.accept,
    asked.CreateOwnerLink: owner.create,
    asked.GetOwnerLink: owner.get,
    asked.ClaimOwner: owner.claim,
}
