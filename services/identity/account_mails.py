"""The texts of mails about a change of an account."""

from __future__ import annotations

from identity.mail_languages import Translate
from identity.mail_layout import MailParts, when
from identity.mail_sentences import (
    ip_address,
    place,
    requested_from,
    same_browser,
)


def reset_mail(translate: Translate) -> MailParts:
    """Returns the mail to choose a new password, requested by the user or required by an
    administrator."""
    requested = translate("Use this link or code to choose a new password for {{ app_name }}.")
    required = translate(
        "An administrator of {{ app_name }} requires you to choose a new password. Your old one no"
        " longer works. Use this link or code."
    )
    consequence = translate(
        "It expires in {{ minutes }} minutes. Once you have chosen a new password, you are signed"
        " out everywhere else."
    )
    return MailParts(
        subject=translate("Choose a new password for {{ app_name }}"),
        paragraphs=(f"{when('required', required, requested)} {consequence}",),
        has_code=True,
        button=translate("Choose a new password"),
        # A mail that somebody else requested names no device, and its link works in any browser.
        link_note=when("device", same_browser(translate)),
        note=when(
            "required",
            translate("If the link has expired, ask for a new one: {{ app_url }}/reset"),
            translate(
                "If you did not request this e-mail, you can ignore it. Your password stays as it"
                " is."
            )
            + requested_from(translate),
        ),
    )


def password_changed_mail(translate: Translate) -> MailParts:
    """Returns the notice that the password was changed."""
    return MailParts(
        subject=translate("Your password for {{ app_name }} was changed"),
        paragraphs=(
            translate(
                "The password of your account at {{ app_name }} was changed. You are now signed out"
                " everywhere else."
            )
            + ip_address(translate),
        ),
        note=translate("If it was not you, choose a new password at once: {{ app_url }}/reset"),
    )


def email_change_mail(translate: Translate) -> MailParts:
    """Returns the mail that confirms a new address."""
    return MailParts(
        subject=translate("{{ code }} is your confirmation code for {{ app_name }}"),
        paragraphs=(
            translate(
                "Enter this code to confirm your new e-mail address at {{ app_name }}. It expires"
                " in {{ minutes }} minutes."
            ),
        ),
        has_code=True,
        button=translate("Confirm e-mail address"),
        note=translate(
            "If you did not request this e-mail, you can ignore it. The address will then not be"
            " used."
        ),
    )


def email_changed_mail(translate: Translate) -> MailParts:
    """Returns the notice to the old address."""
    return MailParts(
        subject=translate("Your e-mail address at {{ app_name }} was changed"),
        paragraphs=(
            translate("Your account at {{ app_name }} now has a different e-mail address."),
        ),
        note=when(
            "support_email",
            translate("If it was not you, write to {{ support_email }} at once."),
            translate("If it was not you, contact us at once: {{ app_url }}"),
        ),
    )


def new_device_mail(translate: Translate) -> MailParts:
    """Returns the notice of a sign-in from a new device."""
    return MailParts(
        subject=translate("New sign-in to {{ app_name }}"),
        paragraphs=(
            when(
                "device",
                translate(
                    "Somebody signed in to your account at {{ app_name }} from a new device:"
                    " {{ device }}."
                ),
                translate(
                    "Somebody signed in to your account at {{ app_name }} from a new device."
                ),
            )
            + ip_address(translate)
            + place(translate),
        ),
        note=translate(
            "If it was not you, change your password and end that session: {{ app_url }}/account"
        ),
    )
