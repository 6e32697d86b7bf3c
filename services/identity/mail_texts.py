"""The built-in mails: what each says, in the language of its recipient.

The texts are English here and pass through gettext: `make words` collects them, and
`services/identity/locales` holds the other languages. A text is Jinja2 source.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from common.contracts.mail_templates import TemplateNotFound, TemplateText
from identity.mail_languages import LOCALES, Locale, Say, translator
from identity.mail_layout import MailParts, when


def _sign_in(say: Say) -> MailParts:
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
        link_note=_same_browser(say),
        note=_not_requested(say),
    )


def _sign_up(say: Say) -> MailParts:
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
        link_note=_same_browser(say),
        note=_not_requested(say),
    )


def _sign_up_known(say: Say) -> MailParts:
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
        link_note=_same_browser(say),
        note=_not_you(say),
    )


def _no_account(say: Say) -> MailParts:
    return MailParts(
        subject=say("No account at {{ app_name }} with this address"),
        paragraphs=(
            say(
                "Somebody tried to sign in to {{ app_name }} with this address, but there is no"
                " account with it. If it was you, try the address that you signed up with."
            ),
        ),
        note=_not_you(say),
    )


def _reset(say: Say) -> MailParts:
    requested = say("Use this link or code to choose a new password for {{ app_name }}.")
    required = say(
        "An administrator of {{ app_name }} requires you to choose a new password. Your old one no"
        " longer works. Use this link or code."
    )
    consequence = say(
        "It expires in {{ minutes }} minutes. Once you have chosen a new password, you are signed"
        " out everywhere else."
    )
    return MailParts(
        subject=say("Choose a new password for {{ app_name }}"),
        paragraphs=(f"{when('required', required, requested)} {consequence}",),
        has_code=True,
        button=say("Choose a new password"),
        # A mail that somebody else requested names no device, and its link works in any browser.
        link_note=when("device", _same_browser(say)),
        note=when(
            "required",
            say("If the link has expired, ask for a new one: {{ app_url }}/reset"),
            say(
                "If you did not request this e-mail, you can ignore it. Your password stays as it"
                " is."
            )
            + _requested_from(say),
        ),
    )


def _password_changed(say: Say) -> MailParts:
    return MailParts(
        subject=say("Your password for {{ app_name }} was changed"),
        paragraphs=(
            say(
                "The password of your account at {{ app_name }} was changed. You are now signed out"
                " everywhere else."
            )
            + _address(say),
        ),
        note=say("If it was not you, choose a new password at once: {{ app_url }}/reset"),
    )


def _email_change(say: Say) -> MailParts:
    return MailParts(
        subject=say("{{ code }} is your confirmation code for {{ app_name }}"),
        paragraphs=(
            say(
                "Enter this code to confirm your new e-mail address at {{ app_name }}. It expires"
                " in {{ minutes }} minutes."
            ),
        ),
        has_code=True,
        button=say("Confirm e-mail address"),
        note=say(
            "If you did not request this e-mail, you can ignore it. The address will then not be"
            " used."
        ),
    )


def _email_changed(say: Say) -> MailParts:
    return MailParts(
        subject=say("Your e-mail address at {{ app_name }} was changed"),
        paragraphs=(say("Your account at {{ app_name }} now has a different e-mail address."),),
        note=when(
            "support_email",
            say("If it was not you, write to {{ support_email }} at once."),
            say("If it was not you, contact us at once: {{ app_url }}"),
        ),
    )


def _new_device(say: Say) -> MailParts:
    return MailParts(
        subject=say("New sign-in to {{ app_name }}"),
        paragraphs=(
            when(
                "device",
                say(
                    "Somebody signed in to your account at {{ app_name }} from a new device:"
                    " {{ device }}."
                ),
                say("Somebody signed in to your account at {{ app_name }} from a new device."),
            )
            + _address(say),
        ),
        note=say(
            "If it was not you, change your password and end that session: {{ app_url }}/account"
        ),
    )


def _invitation(say: Say) -> MailParts:
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
        link_note=_expiry(say),
        note=_unexpected(say),
    )


def _organization_invitation(say: Say) -> MailParts:
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
        link_note=_expiry(say),
        note=_unexpected(say),
    )


def _greeting(say: Say) -> str:
    return when("name", say("Hello {{ name }},"), say("Hello,"))


def _same_browser(say: Say) -> str:
    return say("The link works only in the browser in which you requested it.")


def _not_requested(say: Say) -> str:
    text = say(
        "If you did not request this e-mail, you can ignore it. Without it, nobody can sign in."
    )
    return text + _requested_from(say)


def _requested_from(say: Say) -> str:
    """A sentence about the device and the address of the request, if the mail names the device."""
    return when("device", " " + say("Requested from {{ device }}.") + _address(say))


def _address(say: Say) -> str:
    return when("ip", " " + say("The IP address was {{ ip }}."))


def _not_you(say: Say) -> str:
    return say("If it was not you, you can ignore this e-mail.")


def _expiry(say: Say) -> str:
    return when(
        "days == 1",
        say("The link works once and expires within a day."),
        say("The link works once and expires in {{ days }} days."),
    )


def _unexpected(say: Say) -> str:
    return say("If you did not expect this invitation, you can ignore this e-mail.")


MAILS: Final[dict[str, Callable[[Say], MailParts]]] = {
    "sign_in": _sign_in,
    "sign_up": _sign_up,
    "sign_up_known": _sign_up_known,
    "no_account": _no_account,
    "reset": _reset,
    "password_changed": _password_changed,
    "email_change": _email_change,
    "email_changed": _email_changed,
    "new_device": _new_device,
    "invitation": _invitation,
    "org_invitation": _organization_invitation,
}
"""By kind of mail."""


@lru_cache(maxsize=len(MAILS) * len(LOCALES))
def built_in_source(kind: str, locale: Locale) -> TemplateText:
    """Returns the built-in mail as a template. Raises TemplateNotFound."""
    if kind not in MAILS:
        raise TemplateNotFound
    say = translator(locale)
    return MAILS[kind](say).source(_greeting(say))


def unnamed_organization(locale: Locale) -> str:
    """Returns what a mail says in place of a name that could be an advertisement."""
    say = translator(locale)
    return say("an organization")
