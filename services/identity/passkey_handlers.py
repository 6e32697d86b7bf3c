"""The part of the table of contents that is about passkeys: which handler answers which contract."""

from __future__ import annotations

from typing import Any

from common.bus import Handler
from common.contracts.base import Request
from common.contracts.passkey_sign_in import (
    AddFirstPasskey,
    ConfirmWithPasskey,
    ShowPasskeySecondFactor,
    SignInWithPasskey,
    SignUpWithPasskey,
    StartFirstPasskey,
    StartPasskeyConfirmation,
    StartPasskeySecondFactor,
    StartPasskeySignIn,
    StartPasskeySignUp,
)
from common.contracts.passkeys import (
    AddPasskey,
    ListMyPasskeys,
    ListUserPasskeys,
    NotePasskeyOffer,
    RemovePasskey,
    RemoveUserPasskey,
    RenamePasskey,
    StartPasskey,
)
from identity import passkey_registration, passkey_sign_in, passkey_sign_up, passkeys
from identity.gate_refusals import recorded

HANDLERS: dict[type[Request[Any]], Handler] = {
    StartPasskeySignIn: passkey_sign_in.start,
    SignInWithPasskey: recorded(passkey_sign_in.sign_in),
    StartPasskeyConfirmation: passkey_sign_in.start_confirmation,
    ConfirmWithPasskey: recorded(passkey_sign_in.confirm),
    StartPasskeySecondFactor: passkey_sign_in.start_second_factor,
    ShowPasskeySecondFactor: recorded(passkey_sign_in.show_second_factor),
    StartPasskey: passkey_registration.start,
    AddPasskey: passkey_registration.add,
    StartFirstPasskey: passkey_registration.start_first,
    AddFirstPasskey: recorded(passkey_registration.add_first),
    StartPasskeySignUp: passkey_sign_up.start,
    SignUpWithPasskey: passkey_sign_up.sign_up,
    ListMyPasskeys: passkeys.list_own,
    ListUserPasskeys: passkeys.list_of_user,
    RenamePasskey: passkeys.rename,
    RemovePasskey: passkeys.remove,
    RemoveUserPasskey: passkeys.remove_of_user,
    NotePasskeyOffer: passkeys.note_offer,
}
