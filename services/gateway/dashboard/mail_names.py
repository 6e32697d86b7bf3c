"""A name for each kind of mail."""

from __future__ import annotations

from typing import Final

from common.message_ids import N_

MAIL_NAMES: Final = {
    "sign_in": N_("Code or link to sign in"),
    "sign_up": N_("Code or link to create an account"),
    "sign_up_known": N_("Sign-up with an address that has an account"),
    "link_account": N_("Code to connect a provider account"),
    "no_account": N_("Sign-in with an address without an account"),
    "reset": N_("Code or link for a new password"),
    "password_changed": N_("The password was changed"),
    "email_change": N_("Code or link to confirm a new address"),
    "email_changed": N_("The address was changed"),
    "new_device": N_("Sign-in on a new device"),
    "passkey_added": N_("A passkey was added"),
    "passkey_removed": N_("A passkey was removed"),
    "passkey_refused": N_("A passkey was refused"),
    "totp_enabled": N_("Two-step verification was turned on"),
    "totp_disabled": N_("Two-step verification was turned off"),
    "recovery_codes_changed": N_("New recovery codes were made"),
    "recovery_code_used": N_("A recovery code was used"),
    "factors_reset": N_("The second steps were removed"),
    "invitation": N_("Invitation to the application"),
    "org_invitation": N_("Invitation to an organization"),
}
"""By kind of mail."""
