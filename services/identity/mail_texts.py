"""The built-in mails: what each says, in each language.

A mail is a subject, paragraphs, perhaps a code, perhaps a button, and a closing note. From these the
text and the HTML part are composed as Jinja2 source, which an application may replace.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from common.contracts.mail_templates import TemplateText

Locale = Literal["en", "de"]
LOCALES: Final[tuple[Locale, ...]] = ("en", "de")


@dataclass(frozen=True)
class Words:
    subject: str
    paragraphs: tuple[str, ...]
    button: str = ""
    note: str = ""
    code: bool = False
    small: str = ""
    """What to know about the link."""

    def source(self, hello: str) -> TemplateText:
        """As Jinja2."""
        return TemplateText(subject=self.subject, text=self._text(hello), html=self._html(hello))

    def _text(self, hello: str) -> str:
        parts = [hello, *self.paragraphs]
        if self.code:
            parts.append("{% if code %}    {{ code }}{% endif %}")
        if self.button:
            parts.append("{% if link %}" + self.button + ":\n{{ link }}{% endif %}")
        if self.small:
            parts.append("{% if link %}" + self.small + "{% endif %}")
        if self.note:
            parts.append(self.note)
        return "\n\n".join(parts)

    def _html(self, hello: str) -> str:
        parts = [f"<p>{_html(part)}</p>" for part in (hello, *self.paragraphs)]
        if self.code:
            parts.append('{% if code %}<p class="code">{{ code }}</p>{% endif %}')
        if self.button:
            label = escape(self.button)
            parts.append(
                '{% if link %}<p><a class="button" href="{{ link }}">'
                + label
                + "</a></p>{% endif %}"
            )
        if self.small:
            small = _html(self.small)
            parts.append('{% if link %}<p class="note">' + small + "</p>{% endif %}")
        if self.note:
            parts.append(f'<p class="note">{_html(self.note)}</p>')
        return "\n".join(parts)


def _html(text: str) -> str:
    """Text with Jinja2 in it: the words are escaped, the braces stay."""
    return text.replace("<", "&lt;").replace(">", "&gt;")


HELLO: Final[dict[Locale, str]] = {
    "en": "{% if name %}Hello {{ name }},{% else %}Hello,{% endif %}",
    "de": "{% if name %}Guten Tag {{ name }},{% else %}Guten Tag,{% endif %}",
}

ASKED_EN = (
    "If you did not ask for this, do nothing: without the code nobody gets in."
    "{% if device %} Requested from {{ device }}{% if ip %} ({{ ip }}){% endif %}.{% endif %}"
)
ASKED_DE = (
    "Wenn Sie das nicht waren, tun Sie nichts: Ohne den Code kommt niemand hinein."
    "{% if device %} Angefragt wurde von {{ device }}{% if ip %} ({{ ip }}){% endif %}.{% endif %}"
)

BROWSER_EN = "The link works only in the browser where you requested it."
BROWSER_DE = "Der Link funktioniert nur in dem Browser, in dem Sie ihn angefordert haben."
ASKED_HERE_EN = f"{{% if device %}}{BROWSER_EN}{{% endif %}}"
ASKED_HERE_DE = f"{{% if device %}}{BROWSER_DE}{{% endif %}}"
"""For links that work anywhere if somebody else requested the mail: it names no device then."""

EXPIRY: Final[dict[Locale, str]] = {
    "en": "The link works once and expires "
    "{% if days == 1 %}within a day{% else %}in {{ days }} days{% endif %}.",
    "de": "Der Link funktioniert einmal und läuft "
    "{% if days == 1 %}innerhalb eines Tages{% else %}in {{ days }} Tagen{% endif %} ab.",
}
UNEXPECTED: Final[dict[Locale, str]] = {
    "en": "If you did not expect this invitation, you can ignore this mail.",
    "de": "Wenn Sie diese Einladung nicht erwartet haben, können Sie diese Mail ignorieren.",
}

WORDS: Final[dict[str, dict[Locale, Words]]] = {
    "sign_in": {
        "en": Words(
            "{% if code %}{{ code }} is your code for {{ app_name }}"
            "{% else %}Sign in to {{ app_name }}{% endif %}",
            (
                "{% if code %}Enter this code to sign in to {{ app_name }}. It expires in "
                "{{ minutes }} minutes.{% else %}Use this link to sign in to {{ app_name }}. It "
                "expires in {{ minutes }} minutes.{% endif %}",
            ),
            button="Sign in",
            small=BROWSER_EN,
            note=ASKED_EN,
            code=True,
        ),
        "de": Words(
            "{% if code %}{{ code }} ist Ihr Code für {{ app_name }}"
            "{% else %}Bei {{ app_name }} anmelden{% endif %}",
            (
                "{% if code %}Mit diesem Code melden Sie sich bei {{ app_name }} an. Er gilt "
                "{{ minutes }} Minuten.{% else %}Mit diesem Link melden Sie sich bei {{ app_name }} "
                "an. Er gilt {{ minutes }} Minuten.{% endif %}",
            ),
            button="Anmelden",
            small=BROWSER_DE,
            note=ASKED_DE,
            code=True,
        ),
    },
    "sign_up": {
        "en": Words(
            "{{ code }} is your {{ app_name }} confirmation code",
            (
                "Welcome to {{ app_name }}. Enter this code to confirm your e-mail address. It "
                "expires in {{ minutes }} minutes.",
            ),
            button="Confirm e-mail address",
            small=BROWSER_EN,
            note=ASKED_EN,
            code=True,
        ),
        "de": Words(
            "{{ code }} bestätigt Ihre Adresse für {{ app_name }}",
            (
                "Willkommen bei {{ app_name }}. Mit diesem Code bestätigen Sie Ihre Adresse, dann "
                "ist Ihr Konto bereit. Er gilt {{ minutes }} Minuten.",
            ),
            button="E-Mail-Adresse bestätigen",
            small=BROWSER_DE,
            note=ASKED_DE,
            code=True,
        ),
    },
    "sign_up_known": {
        "en": Words(
            "You already have an account at {{ app_name }}",
            (
                "Somebody gave this address at {{ app_name }}, where it belongs to an account "
                "already. Nothing was changed.",
                "{% if code or link %}If it was you, this signs you in. It expires in {{ minutes }} "
                "minutes.{% else %}If it was you, sign in with your password, or choose a new one."
                "{% endif %}",
            ),
            button="Sign in",
            small=BROWSER_EN,
            note="If it was not you, do nothing.",
            code=True,
        ),
        "de": Words(
            "Sie haben schon ein Konto bei {{ app_name }}",
            (
                "Jemand hat diese Adresse bei {{ app_name }} angegeben, wo sie schon zu einem Konto "
                "gehört. Es wurde nichts geändert.",
                "{% if code or link %}Wenn Sie das waren, melden Sie sich hiermit an. Es gilt "
                "{{ minutes }} Minuten.{% else %}Wenn Sie das waren, melden Sie sich mit Ihrem "
                "Passwort an oder wählen Sie ein neues.{% endif %}",
            ),
            button="Anmelden",
            small=BROWSER_DE,
            note="Wenn Sie das nicht waren, tun Sie nichts.",
            code=True,
        ),
    },
    "no_account": {
        "en": Words(
            "No account at {{ app_name }} with this address",
            (
                "Somebody tried to sign in to {{ app_name }} with this address. There is no account "
                "with it. If it was you, try the address you signed up with.",
            ),
            note="If it was not you, do nothing.",
        ),
        "de": Words(
            "Kein Konto bei {{ app_name }} mit dieser Adresse",
            (
                "Jemand wollte sich mit dieser Adresse bei {{ app_name }} anmelden. Es gibt dazu "
                "kein Konto. Wenn Sie das waren, versuchen Sie es mit der Adresse, mit der Sie sich "
                "registriert haben.",
            ),
            note="Wenn Sie das nicht waren, tun Sie nichts.",
        ),
    },
    "reset": {
        "en": Words(
            "Choose a new password for {{ app_name }}",
            (
                "Use this link or code to choose a new password for {{ app_name }}. It expires in "
                "{{ minutes }} minutes. Resetting your password ends all your sessions.",
            ),
            button="Choose a new password",
            small=ASKED_HERE_EN,
            note=ASKED_EN,
            code=True,
        ),
        "de": Words(
            "Neues Passwort für {{ app_name }} wählen",
            (
                "Mit diesem Link oder Code wählen Sie ein neues Passwort für {{ app_name }}. Beides "
                "gilt {{ minutes }} Minuten. Danach sind Sie überall sonst abgemeldet.",
            ),
            button="Neues Passwort wählen",
            small=ASKED_HERE_DE,
            note=ASKED_DE,
            code=True,
        ),
    },
    "password_changed": {
        "en": Words(
            "Your password for {{ app_name }} was changed",
            (
                "The password of your account at {{ app_name }} was changed"
                "{% if ip %} (from {{ ip }}){% endif %}. Your other sessions have ended.",
            ),
            note="If it was not you, choose a new password at once: {{ app_url }}/reset",
        ),
        "de": Words(
            "Ihr Passwort für {{ app_name }} wurde geändert",
            (
                "Das Passwort Ihres Kontos bei {{ app_name }} wurde geändert"
                "{% if ip %} (von {{ ip }}){% endif %}. Ihre anderen Sitzungen wurden beendet.",
            ),
            note="Wenn Sie das nicht waren, wählen Sie sofort ein neues: {{ app_url }}/reset",
        ),
    },
    "email_change": {
        "en": Words(
            "{{ code }} is your {{ app_name }} confirmation code",
            (
                "Enter this code to confirm your new e-mail address at {{ app_name }}. It "
                "expires in {{ minutes }} minutes.",
            ),
            button="Confirm the address",
            note="If you did not ask for this, do nothing: the address is not used then.",
            code=True,
        ),
        "de": Words(
            "{{ code }} bestätigt Ihre neue Adresse für {{ app_name }}",
            (
                "Mit diesem Code bestätigen Sie, dass dies Ihre neue Adresse bei {{ app_name }} ist. "
                "Er gilt {{ minutes }} Minuten.",
            ),
            button="Adresse bestätigen",
            note="Wenn Sie das nicht waren, tun Sie nichts: Die Adresse wird dann nicht verwendet.",
            code=True,
        ),
    },
    "email_changed": {
        "en": Words(
            "Your address at {{ app_name }} was changed",
            ("Your account at {{ app_name }} now has another e-mail address than this one.",),
            note="If it was not you, write to {{ support_email or app_url }} at once.",
        ),
        "de": Words(
            "Ihre Adresse bei {{ app_name }} wurde geändert",
            ("Ihr Konto bei {{ app_name }} hat jetzt eine andere E-Mail-Adresse als diese.",),
            note="Wenn Sie das nicht waren, melden Sie sich sofort: {{ support_email or app_url }}",
        ),
    },
    "new_device": {
        "en": Words(
            "New sign-in to {{ app_name }}",
            (
                "Somebody signed in to your account at {{ app_name }} from a device we have not seen "
                "before{% if device %}: {{ device }}{% endif %}{% if ip %} ({{ ip }}){% endif %}.",
            ),
            note="If it was not you, change your password and end that session: "
            "{{ app_url }}/account",
        ),
        "de": Words(
            "Neue Anmeldung bei {{ app_name }}",
            (
                "Jemand hat sich von einem uns noch unbekannten Gerät bei Ihrem Konto bei "
                "{{ app_name }} angemeldet{% if device %}: {{ device }}{% endif %}"
                "{% if ip %} ({{ ip }}){% endif %}.",
            ),
            note="Wenn Sie das nicht waren, ändern Sie Ihr Passwort und beenden Sie diese Sitzung: "
            "{{ app_url }}/account",
        ),
    },
    "invitation": {
        "en": Words(
            "You've been invited to {{ app_name }}",
            (
                "{% if inviter %}{{ inviter }} invited you{% else %}You've been invited{% endif %} "
                "to create an account at {{ app_name }}.",
            ),
            button="Accept invitation",
            small=EXPIRY["en"],
            note=UNEXPECTED["en"],
        ),
        "de": Words(
            "Sie sind zu {{ app_name }} eingeladen",
            (
                "{% if inviter %}{{ inviter }} lädt Sie ein,{% else %}Sie sind eingeladen,{% endif %} "
                "ein Konto bei {{ app_name }} anzulegen.",
            ),
            button="Einladung annehmen",
            small=EXPIRY["de"],
            note=UNEXPECTED["de"],
        ),
    },
    "org_invitation": {
        "en": Words(
            "You've been invited to {{ org_name }} at {{ app_name }}",
            (
                "{% if inviter %}{{ inviter }} invited you{% else %}You've been invited{% endif %} "
                "to join {{ org_name }} at {{ app_name }}.",
            ),
            button="Accept invitation",
            small=EXPIRY["en"],
            note=UNEXPECTED["en"],
        ),
        "de": Words(
            "Sie sind zu {{ org_name }} bei {{ app_name }} eingeladen",
            (
                "{% if inviter %}{{ inviter }} lädt Sie ein,{% else %}Sie sind eingeladen,{% endif %} "
                "{{ org_name }} bei {{ app_name }} beizutreten.",
            ),
            button="Einladung annehmen",
            small=EXPIRY["de"],
            note=UNEXPECTED["de"],
        ),
    },
}

UNNAMED_ORGANIZATION: Final[dict[Locale, str]] = {
    "en": "an organization",
    "de": "einer Organisation",
}
"""In place of a name that could be an advertisement."""

DATA: Final[dict[str, dict[str, object]]] = {
    "sign_in": {"code": "123 456", "link": "…", "minutes": 10, "device": "Firefox on Linux"},
    "sign_up": {"code": "123 456", "link": "…", "minutes": 10, "device": "Firefox on Linux"},
    "sign_up_known": {"code": "123 456", "link": "…", "minutes": 10, "device": "Firefox on Linux"},
    "no_account": {"code": "", "link": "", "minutes": 10, "device": "Firefox on Linux"},
    "reset": {"code": "123 456", "link": "…", "minutes": 10, "device": "Firefox on Linux"},
    "password_changed": {},
    "email_change": {"code": "123 456", "link": "…", "minutes": 10, "device": ""},
    "email_changed": {"email": "new@example.com"},
    "new_device": {"device": "Firefox on Linux"},
    "invitation": {"link": "…", "days": 7, "inviter": "Grace Hopper"},
    "org_invitation": {
        "link": "…",
        "org_name": "Example Ltd",
        "inviter": "Grace Hopper",
        "role": "member",
        "expires_at": "2030-01-01",
        "days": 7,
    },
}
"""Sample values of what is special to each kind: for previews, and the names a template may use."""

COMMON: Final[dict[str, object]] = {
    "name": "Ada Lovelace",
    "ip": "203.0.113.7",
    "app_name": "",
    "app_url": "",
    "support_email": "",
    "homepage_url": "",
    "logo_url": "",
}
"""What every template may use."""
