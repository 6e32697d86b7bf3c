"""The texts of mails about the passkeys of an account."""

from __future__ import annotations

from identity.mail_languages import Translate
from identity.mail_layout import MailParts
from identity.mail_sentences import ip_address


def passkey_added_mail(translate: Translate) -> MailParts:
    """Returns the notice that a passkey was added."""
    return MailParts(
        subject=translate("A passkey was added to your account at {{ app_name }}"),
        paragraphs=(
            translate(
                "The passkey “{{ passkey }}” was added to your account at {{ app_name }}. You can now"
                " sign in with it."
            )
            + ip_address(translate),
        ),
        note=_not_you(translate),
    )


def passkey_removed_mail(translate: Translate) -> MailParts:
    """Returns the notice that a passkey was removed."""
    return MailParts(
        subject=translate("A passkey was removed from your account at {{ app_name }}"),
        paragraphs=(
            translate(
                "The passkey “{{ passkey }}” was removed from your account at {{ app_name }}. It can"
                " no longer be used to sign in."
            )
            + ip_address(translate),
        ),
        note=_not_you(translate),
    )


def passkey_refused_mail(translate: Translate) -> MailParts:
    """Returns the notice that a passkey was refused because its counter has not grown."""
    return MailParts(
        subject=translate("We refused a sign-in to your account at {{ app_name }}"),
        paragraphs=(
            translate(
                "Somebody used the passkey “{{ passkey }}” at {{ app_name }}, and its counter did not"
                " match. There may be a copy of it. We refused the sign-in."
            )
            + ip_address(translate),
        ),
        note=translate(
            "If this passkey is on a security key that you lost, remove it:"
            " {{ app_url }}/account/passkeys"
        ),
    )


def _not_you(translate: Translate) -> str:
    return translate(
        "If it was not you, remove what you do not know: {{ app_url }}/account/passkeys"
    )
