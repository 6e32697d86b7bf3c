"""The texts of mails about second factors."""

from __future__ import annotations

from identity.mail_languages import Translate
from identity.mail_layout import MailParts
from identity.mail_sentences import ip_address


def totp_enabled_mail(translate: Translate) -> MailParts:
    """Returns the notice that an authenticator app was turned on."""
    return MailParts(
        subject=translate("Two-step verification is on at {{ app_name }}"),
        paragraphs=(
            translate(
                "An authenticator app was added to your account at {{ app_name }}. From now on you"
                " need its code to sign in."
            )
            + ip_address(translate),
        ),
        note=_not_you(translate),
    )


def totp_disabled_mail(translate: Translate) -> MailParts:
    """Returns the notice that the authenticator app was turned off."""
    return MailParts(
        subject=translate("The authenticator app was removed at {{ app_name }}"),
        paragraphs=(
            translate(
                "The authenticator app of your account at {{ app_name }} was removed. Its codes are"
                " no longer asked for."
            )
            + ip_address(translate),
        ),
        note=_not_you(translate),
    )


def recovery_codes_changed_mail(translate: Translate) -> MailParts:
    """Returns the notice that there are new recovery codes."""
    return MailParts(
        subject=translate("New recovery codes at {{ app_name }}"),
        paragraphs=(
            translate(
                "New recovery codes were created for your account at {{ app_name }}. The old ones no"
                " longer work."
            )
            + ip_address(translate),
        ),
        note=_not_you(translate),
    )


def recovery_code_used_mail(translate: Translate) -> MailParts:
    """Returns the notice that a recovery code was used."""
    return MailParts(
        subject=translate("A recovery code was used at {{ app_name }}"),
        paragraphs=(
            translate(
                "Somebody used a recovery code of your account at {{ app_name }}. Codes that are"
                " left: {{ left }}."
            )
            + ip_address(translate),
        ),
        note=_not_you(translate),
    )


def factors_reset_mail(translate: Translate) -> MailParts:
    """Returns the notice that an administrator removed the second factors."""
    return MailParts(
        subject=translate("Two-step verification was reset at {{ app_name }}"),
        paragraphs=(
            translate(
                "An administrator of {{ app_name }} removed the authenticator app, the passkeys and"
                " the recovery codes of your account."
            ),
            translate("You can sign in without them, and set them up again in your account."),
        ),
        note=translate("If you did not request this, choose a new password: {{ app_url }}/reset"),
    )


def _not_you(translate: Translate) -> str:
    return translate(
        "If it was not you, choose a new password at once and check your account:"
        " {{ app_url }}/reset"
    )
