"""The sentences of errors for people: which field each concerns, and what to do next."""

from __future__ import annotations

from typing import Final

from common.contracts.api_keys import AlreadyRotated, TooManyApiKeys
from common.contracts.applications import DeletionNotConfirmed
from common.contracts.clients import ClientNotFound
from common.contracts.device_authorization import UserCodeUnknown
from common.contracts.domains import (
    CustomDomainNotVerified,
    CustomDomainTaken,
    TooManyCustomDomains,
)
from common.contracts.identities import IdentityNotFound, TooManyIdentities
from common.contracts.identity_providers import (
    ProviderInUse,
    ProviderNameTaken,
    ProviderNotFound,
    TooManyProviders,
)
from common.contracts.impersonation import ImpersonationOff, ImpersonationRefused
from common.contracts.mail_sender import OwnAddressUnverified
from common.contracts.members import AlreadyMember, LastAdmin, MemberNotFound
from common.contracts.org_invitations import (
    OrganizationInvitationNotFound,
    OrganizationInvitationPending,
    OtherAddress,
)
from common.contracts.organizations import OrganizationNotFound
from common.contracts.platform_settings import ApplicationLimitReached
from common.contracts.protection import CaptchaFailed
from common.contracts.provider_sign_in import ProviderAway
from common.contracts.roles import NotHeld, RoleNotFound
from common.contracts.second_factors import (
    DeviceNotFound,
    LastSecondFactor,
    NoSecondFactor,
    TotpNotFound,
    WrongFactorCode,
)
from common.contracts.sessions import CurrentSession, SessionNotFound
from common.contracts.sign_in import (
    AccountDisabled,
    CodeSpent,
    EmailUnverified,
    LastWayIn,
    MethodOff,
    WrongCode,
    WrongCredentials,
)
from common.contracts.sign_up import SignUpClosed
from common.contracts.users import EmailTaken
from common.message_ids import N_
from common.problems import Busy, GuestRefused, Impersonating, Problem

SENTENCES: Final[dict[type[Problem], tuple[str, str]]] = {
    UserCodeUnknown: (
        "user_code",
        N_("This code is wrong or has expired. Check it, or start again on your device."),
    ),
    ApplicationLimitReached: (
        "",
        N_("This team has as many applications as it may have. Ask an operator for more."),
    ),
    WrongCredentials: (
        "password",
        N_("The address or the password is wrong. Check both and try again."),
    ),
    WrongCode: (
        "code",
        N_("This code is wrong or has expired. Check it, or request a new one."),
    ),
    CodeSpent: ("code", N_("This code no longer works. Request a new one.")),
    WrongFactorCode: (
        "code",
        N_("This code is wrong or was already used. Wait for the next code and enter it."),
    ),
    TotpNotFound: ("", N_("Two-step verification is not turned on.")),
    NoSecondFactor: ("", N_("Turn on two-step verification first.")),
    LastSecondFactor: (
        "",
        N_("This application requires a second step. Set up another one before you remove this."),
    ),
    DeviceNotFound: ("", N_("This device already asks for the second step.")),
    MethodOff: ("", N_("This application doesn't offer this sign-in method. Choose another one.")),
    SignUpClosed: ("", N_("You need an invitation to create an account here.")),
    Impersonating: (
        "",
        N_("You act as this user, and only they can do this. End the impersonation first."),
    ),
    ImpersonationOff: ("", N_("This application does not allow impersonation.")),
    ImpersonationRefused: (
        "",
        N_("You can't act as this user. They may have more rights, or your own have changed."),
    ),
    GuestRefused: ("", N_("Create an account first. Guests can't do this.")),
    AccountDisabled: (
        "",
        N_("This account is disabled. Contact support if you think this is a mistake."),
    ),
    EmailUnverified: (
        "",
        N_("Sign in with a code first to confirm your e-mail address."),
    ),
    EmailTaken: ("email", N_("Another account already uses this address. Enter a different one.")),
    CaptchaFailed: ("", N_("Confirm that you're human and try again.")),
    CurrentSession: ("", N_("This is your current session. Sign out instead.")),
    SessionNotFound: ("", N_("This session has already ended.")),
    OtherAddress: (
        "",
        N_("This invitation was sent to a different address. Sign in with that address."),
    ),
    ClientNotFound: ("", N_("This app no longer has access.")),
    OrganizationNotFound: ("", N_("You're no longer a member of this organization.")),
    LastAdmin: ("", N_("An organization needs an admin. Make another member an admin first.")),
    MemberNotFound: ("", N_("This person is no longer a member.")),
    AlreadyMember: ("email", N_("This person is already a member.")),
    OwnAddressUnverified: (
        "",
        N_("The test e-mail goes to your own address. Verify it in your account first."),
    ),
    NotHeld: ("", N_("You can only give or take permissions that you have yourself.")),
    RoleNotFound: ("role", N_("This role no longer exists. Choose another one.")),
    OrganizationInvitationPending: (
        "email",
        N_("This address already has an invitation. You can send it again below."),
    ),
    OrganizationInvitationNotFound: ("", N_("This invitation is no longer open.")),
    LastWayIn: ("", N_("This is your only way to sign in. Add another one first.")),
    IdentityNotFound: ("", N_("This account is no longer connected.")),
    TooManyIdentities: (
        "",
        N_("You've connected too many accounts. Disconnect one first."),
    ),
    ProviderNotFound: ("", N_("This sign-in provider isn't available here. Choose another one.")),
    ProviderNameTaken: ("name", N_("Another identity provider has this name. Choose another one.")),
    ProviderInUse: (
        "",
        N_(
            "Users have accounts linked to this provider, so this can't change. Add a new provider."
        ),
    ),
    TooManyProviders: ("", N_("There are too many identity providers. Delete one first.")),
    TooManyApiKeys: ("", N_("The application has too many API keys. Revoke one first.")),
    AlreadyRotated: ("", N_("This key was already rotated. Rotate the new key instead.")),
    CustomDomainTaken: ("domain", N_("Another application has verified this domain.")),
    CustomDomainNotVerified: ("", N_("Check the records of this domain first.")),
    TooManyCustomDomains: ("domain", N_("The application has too many domains. Remove one first.")),
    DeletionNotConfirmed: ("confirm", N_("Type the name exactly as it is shown.")),
    ProviderAway: ("", N_("This provider doesn't answer right now. Try again in a moment.")),
    Busy: ("", N_("The service is busy, so nothing was changed. Try again in a moment.")),
}
FIELDS: Final = {
    "email": N_("Enter an e-mail address, like name@example.com."),
    "password": N_("Enter a password of at most 256 characters."),
    "current": N_("Enter your current password."),
    "code": N_("Enter the 6 digits from the e-mail."),
    "name": N_("Enter a name of at most 200 characters."),
    "given_name": N_("Enter a name of at most 200 characters."),
    "family_name": N_("Enter a name of at most 200 characters."),
    "nickname": N_("Enter a name of at most 200 characters."),
    "picture": N_("Enter a web address, like https://example.com/picture.jpg."),
    "locale": N_("Choose a language from the list."),
    "role": N_("Choose a role from the list."),
    "host": N_("Enter the name of a server, like smtp.example.com."),
    "port": N_("Enter a number from 1 to 65535."),
    "from_address": N_("Enter an e-mail address, like name@example.com."),
    "from_name": N_("Enter a name of at most 100 characters."),
}
"""By field: the text for an error of its value. A rule of a service has a text of its own."""
OTHERWISE: Final = N_("This value isn't valid.")
"""For a code that this version does not know."""
