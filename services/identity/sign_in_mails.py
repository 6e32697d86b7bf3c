"""The texts of mails that sign in, sign up or invite."""

from __future__ import annotations

from identity.mail_languages import Translate
from identity.mail_layout import MailParts, when
from identity.mail_sentences import (
    expiry,
    not_requested,
    not_you,
    same_browser,
    unexpected_invitation,
)


def sign_in_mail(translate: Translate) -> MailParts:
    """Returns the mail with a code, a link or both to sign in."""
    return MailParts(
        subject=when(
            "code",
            translate("{{ code }} is your code for {{ app_name }}"),
            translate("Sign in to {{ app_name }}"),
        ),
        paragraphs=(
            when(
                "code",
                translate(
                    "Enter this code to sign in to {{ app_name }}. It expires in {{ minutes }}"
                    " minutes."
                ),
                translate(
                    "Use this link to sign in to {{ app_name }}. It expires in {{ minutes }}"
                    " minutes."
                ),
            ),
        ),
        has_code=True,
        button=translate("Sign in"),
        link_note=same_browser(translate),
        note=not_requested(translate),
    )


def sign_up_mail(translate: Translate) -> MailParts:
    """Returns the mail that confirms the address of a sign-up."""
    return MailParts(
        subject=translate("{{ code }} is your confirmation code for {{ app_name }}"),
        paragraphs=(
            translate(
                "Welcome to {{ app_name }}. Enter this code to confirm your e-mail address. It"
                " expires in {{ minutes }} minutes."
            ),
        ),
        has_code=True,
        button=translate("Confirm e-mail address"),
        link_note=same_browser(translate),
        note=not_requested(translate),
    )


def sign_up_known_mail(translate: Translate) -> MailParts:
    """Returns the mail to somebody who signs up again."""
    return MailParts(
        subject=translate("You already have an account at {{ app_name }}"),
        paragraphs=(
            translate(
                "Somebody entered this address to sign up at {{ app_name }}. It already belongs to"
                " an account, so nothing was changed."
            ),
            when(
                "code or link",
                translate(
                    "If it was you, you can sign in with this e-mail. It expires in {{ minutes }}"
                    " minutes."
                ),
                translate("If it was you, sign in with your password, or choose a new one."),
            ),
        ),
        has_code=True,
        button=translate("Sign in"),
        link_note=same_browser(translate),
        note=not_you(translate),
    )


def link_account_mail(translate: Translate) -> MailParts:
    """Returns the mail to the owner of an account to which a provider's account is to be connected."""
    return MailParts(
        subject=translate("{{ code }} is your code for {{ app_name }}"),
        paragraphs=(
            translate(
                "You already have an account at {{ app_name }}. Enter this code to connect it to your"
                " account at {{ provider }}. It expires in {{ minutes }} minutes."
            ),
        ),
        has_code=True,
        note=not_requested(translate),
    )


def no_account_mail(translate: Translate) -> MailParts:
    """Returns the mail to an address without an account."""
    return MailParts(
        subject=translate("No account at {{ app_name }} with this address"),
        paragraphs=(
            translate(
                "Somebody tried to sign in to {{ app_name }} with this address, but there is no"
                " account with it. If it was you, try the address that you signed up with."
            ),
        ),
        note=not_you(translate),
    )


def invitation_mail(translate: Translate) -> MailParts:
    """Returns the mail of an invitation into the application."""
    return MailParts(
        subject=translate("You've been invited to {{ app_name }}"),
        paragraphs=(
            when(
                "inviter",
                translate("{{ inviter }} invited you to create an account at {{ app_name }}."),
                translate("You've been invited to create an account at {{ app_name }}."),
            ),
        ),
        button=translate("Accept invitation"),
        link_note=expiry(translate),
        note=unexpected_invitation(translate),
    )


def organization_invitation_mail(translate: Translate) -> MailParts:
    """Returns the mail of an invitation into an organization."""
    return MailParts(
        subject=translate("You've been invited to {{ org_name }} at {{ app_name }}"),
        paragraphs=(
            when(
                "inviter",
                translate("{{ inviter }} invited you to join {{ org_name }} at {{ app_name }}."),
                translate("You've been invited to join {{ org_name }} at {{ app_name }}."),
            ),
        ),
        button=translate("Accept invitation"),
        link_note=expiry(translate),
        note=unexpected_invitation(translate),
    )
