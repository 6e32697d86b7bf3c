"""The passkeys of a user (Web Authentication Level 3), and what all calls with passkeys share."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field

from common.contracts.base import SIGNED_IN, Contract, Done, Id, Request
from common.contracts.fields import PublicTitle, Timestamp
from common.contracts.sessions import SignedInSession
from common.field_errors import value_error
from common.problems import BadRequest, Conflict, Gone, NotFound, Unauthenticated

MAX_CREDENTIAL: Final = 16_384
"""Bytes of a browser's answer. A credential id has up to 1,023, and a key a few hundred."""


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(value))
    except (TypeError, ValueError):
        raise value_error("invalid_value") from None
    if size > MAX_CREDENTIAL:
        raise value_error("json_too_large", maximum=MAX_CREDENTIAL)
    return value


CredentialJson = Annotated[
    dict[str, Any],
    AfterValidator(_bounded),
    Field(repr=False, description="What `PublicKeyCredential.toJSON()` returns in the browser."),
]
RpId = Annotated[str, Field(pattern=r"^[a-z0-9.-]+$", max_length=253)]
"""The host that passkeys are made on (Web Authentication Level 3, section 4)."""


class PasskeyRefused(BadRequest):
    """The browser's answer does not prove that the user holds the passkey."""

    code, title = "passkey_refused", "This passkey was not accepted. Try again."


class PasskeyUnknown(Unauthenticated):
    """Nobody in this application has this passkey. The browser may delete it."""

    code, title = "passkey_unknown", "This passkey is not in use here any more."


class PasskeyChallengeSpent(Gone):
    """The challenge was used, has expired, or is not ours."""

    code, title = "passkey_challenge_spent", "This took too long. Try again."


class AccountSwitched(Conflict):
    """Another user is signed in now than the one for whom the challenge was made."""

    code = "account_switched"
    title = "You are signed in to another account now. Open the page again."


class PasskeyExists(Conflict):
    """The passkey belongs to an account already."""

    code, title = "passkey_exists", "This passkey is already in use."


class TooManyPasskeys(Conflict):
    """The user has as many passkeys as an account can have."""

    code, title = "too_many_passkeys", "Remove a passkey before you add another one."


class PasskeyNotFound(NotFound):
    """The user has no passkey with this id."""

    code, title = "passkey_not_found", "This passkey does not exist."


class PasskeyOptions(Contract):
    """The options for `navigator.credentials`. Their challenge lasts five minutes and works once."""

    options: dict[str, Any] = Field(
        description="For `PublicKeyCredential.parseCreationOptionsFromJSON` or "
        "`parseRequestOptionsFromJSON`."
    )
    other_rp_ids: list[str] = Field(
        default=[], description="Other hosts of the application for which passkeys exist."
    )


class Passkey(Contract):
    """A passkey of a user."""

    id: Id
    name: str
    authenticator: str = Field(description="Where it is stored, such as `iCloud Keychain`.")
    credential_id: str = Field(description="The credential's id, as base64url.")
    rp_id: str = Field(description="The host that it was made on.")
    backed_up: bool = Field(description="Whether it is copied to other devices of the user.")
    last_used_at: Timestamp | None = None
    created_at: Timestamp


class Passkeys(Contract):
    """The passkeys of a user, newest first. The other fields are for the browser's Signal API."""

    passkeys: list[Passkey]
    user_handle: str | None = Field(default=None, description="The `user.id`, as base64url.")
    user_name: str = ""
    display_name: str = ""
    rp_id: str = Field(default="", description="The host of this call.")


class AddedPasskey(Contract):
    """A new passkey. The first one comes with recovery codes, which are not shown again."""

    passkey: Passkey
    recovery_codes: list[str] = Field(default=[], repr=False)
    session: SignedInSession | None = Field(
        default=None, description="The session that starts: the caller had none, or was a guest."
    )


class StartPasskey(
    Request[PasskeyOptions], subject="identity.passkey.options", needs=SIGNED_IN, fresh=True
):
    """Returns the options to add a passkey to the caller's account. Raises FreshSignInNeeded,
    MethodOff, TooManyPasskeys."""


class AddPasskey(
    Request[AddedPasskey], subject="identity.passkey.add", needs=SIGNED_IN, fresh=True
):
    """Adds a passkey to the caller's account. Raises PasskeyRefused, PasskeyChallengeSpent,
    PasskeyExists, AccountSwitched, FreshSignInNeeded, TooManyPasskeys, Invalid."""

    credential: CredentialJson
    name: PublicTitle | None = None


class ListMyPasskeys(
    Request[Passkeys], subject="identity.passkey.list", needs=SIGNED_IN, safe=True
):
    """Lists the caller's passkeys."""


class RenamePasskey(Request[Passkey], subject="identity.passkey.rename", needs=SIGNED_IN):
    """Renames one of the caller's passkeys. Raises PasskeyNotFound."""

    passkey_id: Id
    name: PublicTitle


class RemovePasskey(Request[Done], subject="identity.passkey.remove", needs=SIGNED_IN, fresh=True):
    """Removes one of the caller's passkeys. Raises PasskeyNotFound, LastWayIn, LastSecondFactor,
    FreshSignInNeeded, RateLimited."""

    passkey_id: Id


class ListUserPasskeys(
    Request[Passkeys], subject="identity.passkey.list_user", needs="users:read", safe=True
):
    """Lists the passkeys of any user. Raises UserNotFound."""

    user_id: Id


class RemoveUserPasskey(Request[Done], subject="identity.passkey.remove_user", needs="users:write"):
    """Removes a passkey of any user, also their last way in. The user is told by e-mail. Raises
    NotHeld, UserNotFound, PasskeyNotFound."""

    user_id: Id
    passkey_id: Id


class NotePasskeyOffer(Request[Done], subject="identity.passkey.note_offer", needs=SIGNED_IN):
    """Records that the caller was offered a passkey, so that it is offered once."""
