"""The texts of mails that sign in, sign up or invite."""

from __future__ import annotations

from identity.mail_languages import Say
from identity.mail_layout import MailParts, when
from identity.mail_sentences import (
    expiry,
    not_requested,
    not_you,
    same_browser,
    unexpected_invitation,
)


def sign_in_mail(say: Say) -> MailParts:
    """Returns the mail with a code, a link or both to sign in."""
    return MailParts(
        subject=when(
            "code",
            say("{{ code }} is your code for {{ app_name }}"),
            say("Sign in to {{ app_name }}"),
        ),
        paragraphs=(
            when(
                "code",
                say(
                    "Enter this code to sign in to {{ app_name }}. It expires in {{ minutes }}"
                    " minutes."
                ),
                say(
                    "Use this link to sign in to {{ app_name }}. It expires in {{ minutes }}"
                    " minutes."
                ),
            ),
        ),
        has_code=True,
        button=say("Sign in"),
        link_note=same_browser(say),
        note=not_requested(say),
    )


def sign_up_mail(say: Say) -> MailParts:
    """Returns the mail that confirms the address of a sign-up."""
    return MailParts(
        subject=say("{{ code }} is your confirmation code for {{ app_name }}"),
        paragraphs=(
            say(
                "Welcome to {{ app_name }}. Enter this code to confirm your e-mail address. It"
                " expires in {{ minutes }} minutes."
            ),
        ),
        has_code=True,
        button=say("Confirm e-mail address"),
        link_note=same_browser(say),
        note=not_requested(say),
    )


def sign_up_known_mail(say: Say) -> MailParts:
    """Returns the mail to somebody who signs up again."""
    return MailParts(
        subject=say("You already have an account at {{ app_name }}"),
        paragraphs=(
            say(
                "Somebody entered this address to sign up at {{ app_name }}. It already belongs to"
                " an account, so nothing was changed."
            ),
            when(
                "code or link",
                say(
                    "If it was you, you can sign in with this e-mail. It expires in {{ minutes }}"
                    " minutes."
                ),
                say("If it was you, sign in with your password, or choose a new one."),
            ),
        ),
        has_code=True,
        button=say("Sign in"),
        link_note=same_browser(say),
        note=not_you(say),
    )


def no_account_mail(say: Say) -> MailParts:
    """Returns the mail to an address without an account."""
    return MailParts(
        subject=say("No account at {{ app_name }} with this address"),
        paragraphs=(
            say(
                "Somebody tried to sign in to {{ app_name }} with this address, but there is no"
                " account with it. If it was you, try the address that you signed up with."
            ),
        ),
        note=not_you(say),
    )


def invitation_mail(say: Say) -> MailParts:
    """Returns the mail of an invitation into the application."""
    return MailParts(
        subject=say("You've been invited to {{ app_name }}"),
        paragraphs=(
            when(
                "inviter",
                say("{{ inviter }} invited you to create an account at {{ app_name }}."),
                say("You've been invited to create an account at {{ app_name }}."),
            ),
        ),
        button=say("Accept invitation"),
        link_note=expiry(say),
        note=unexpected_invitation(say),
    )


def organization_invitation_mail(say: Say) -> MailParts:
    """Returns the mail of an invitation into an organization."""
    return MailParts(
        subject=say("You've been invited to {{ org_name }} at {{ app_name }}"),
        paragraphs=(
            when(
                "inviter",
                say("{{ inviter }} invited you to join {{ org_name }} at {{ app_name }}."),
                say("You've been invited to join {{ org_name }} at {{ app_name }}."),
            ),
        ),
        button=say("Accept invitation"),
        link_note=expiry(say),
        note=unexpected_invitation(say),
    )
