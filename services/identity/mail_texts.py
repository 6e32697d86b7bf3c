"""The built-in mails: what each says, in the language of its recipient.

The texts are English here and pass through gettext: `make words` collects them, and
`services/identity/locales` holds the other languages. A text is Jinja2 source.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from common.contracts.mail_templates import TemplateNotFound, TemplateText
from identity.account_mails import (
    email_change_mail,
    email_changed_mail,
    new_device_mail,
    password_changed_mail,
    reset_mail,
)
from identity.factor_mails import (
    factors_reset_mail,
    recovery_code_used_mail,
    recovery_codes_changed_mail,
    totp_disabled_mail,
    totp_enabled_mail,
)
from identity.mail_languages import LOCALES, Locale, Translate, translator
from identity.mail_layout import MailParts
from identity.mail_sender_mails import mail_sender_test_mail
from identity.mail_sentences import (
    greeting,
)
from identity.passkey_mails import (
    passkey_added_mail,
    passkey_refused_mail,
    passkey_removed_mail,
)
from identity.sign_in_mails import (
    invitation_mail,
    link_account_mail,
    no_account_mail,
    organization_invitation_mail,
    sign_in_mail,
    sign_up_known_mail,
    sign_up_mail,
)

MAILS: Final[dict[str, Callable[[Translate], MailParts]]] = {
    "sign_in": sign_in_mail,
    "sign_up": sign_up_mail,
    "sign_up_known": sign_up_known_mail,
    "link_account": link_account_mail,
    "no_account": no_account_mail,
    "reset": reset_mail,
    "password_changed": password_changed_mail,
    "email_change": email_change_mail,
    "email_changed": email_changed_mail,
    "new_device": new_device_mail,
    "passkey_added": passkey_added_mail,
    "passkey_removed": passkey_removed_mail,
    "passkey_refused": passkey_refused_mail,
    "totp_enabled": totp_enabled_mail,
    "totp_disabled": totp_disabled_mail,
    "recovery_codes_changed": recovery_codes_changed_mail,
    "recovery_code_used": recovery_code_used_mail,
    "factors_reset": factors_reset_mail,
    "invitation": invitation_mail,
    "org_invitation": organization_invitation_mail,
    "mail_sender_test": mail_sender_test_mail,
}
"""By kind of mail."""


@lru_cache(maxsize=len(MAILS) * len(LOCALES))
def built_in_source(kind: str, locale: Locale) -> TemplateText:
    """Returns the built-in mail as a template. Raises TemplateNotFound."""
    if kind not in MAILS:
        raise TemplateNotFound
    translate = translator(locale)
    return MAILS[kind](translate).source(greeting(translate))


def unnamed_organization(locale: Locale) -> str:
    """Returns what a mail says in place of a name that could be an advertisement."""
    translate = translator(locale)
    return translate("an organization")
