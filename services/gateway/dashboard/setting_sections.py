"""The settings of an application, in sections, with what each changes for its users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from common.message_ids import N_

Kind = Literal[
    "switch",
    "choice",
    "number",
    "duration",
    "lines",
    "methods",
    "schema",
    "captcha",
    "texts",
    "zone",
]


@dataclass(frozen=True)
class Setting:
    """One setting of AppSettings. `choices` are values with their labels. `empty` says what an empty
    field means, for a setting that can be null."""

    name: str
    kind: Kind
    label: str
    says: str
    choices: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Section:
    """Settings that one form saves."""

    id: str
    heading: str
    settings: tuple[Setting, ...]


METHODS: Final = (
    ("password", N_("Password"), N_("People choose a password and type it at each sign-in.")),
    ("email_code", N_("E-mail code"), N_("We send six digits to the address of the user.")),
    ("magic_link", N_("Magic link"), N_("We send a link that signs in the browser that opens it.")),
    ("oauth", N_("Identity providers"), N_("Buttons like “Continue with Google” appear.")),
    ("passkey", N_("Passkey"), N_("People sign in with the screen lock of their device.")),
)
"""Ways to sign in, each with its name and what users see."""
LOCALES: Final = (("en", "English"), ("de", "Deutsch"))
TEXTS: Final = (
    ("sign_in_heading", N_("Heading of the sign-in page")),
    ("sign_in_text", N_("Text of the sign-in page")),
    ("sign_up_heading", N_("Heading of the sign-up page")),
    ("sign_up_text", N_("Text of the sign-up page")),
    ("signed_out_text", N_("Text after signing out")),
    ("footer_text", N_("Text at the foot of every page")),
)
NO_LIMIT: Final = N_("Empty: no limit.")
SIGN_IN: Final = Section(
    "sign-in",
    N_("Sign-in methods"),
    (
        Setting(
            "auth_methods",
            "methods",
            N_("Ways to sign in"),
            N_("Pages offer only the ways that are on. This one comes first after the address."),
        ),
        Setting(
            "link_policy",
            "choice",
            N_("Accounts of identity providers"),
            N_(
                "What happens if a new provider account has the address of an existing user. “If "
                "verified” joins them if both sides have verified it. “Ask” lets the user prove "
                "the existing account first."
            ),
            (("verified", N_("If verified")), ("ask", N_("Ask")), ("never", N_("Never"))),
        ),
    ),
)
SIGN_UP: Final = Section(
    "sign-up",
    N_("Sign-up"),
    (
        Setting(
            "signup_mode",
            "choice",
            N_("Who can sign up"),
            N_("Invited people always can. “By domain” admits addresses of the domains below."),
            (
                ("open", N_("Everybody")),
                ("invite_only", N_("Invited only")),
                ("restricted", N_("By domain")),
            ),
        ),
        Setting(
            "allowed_email_domains",
            "lines",
            N_("Allowed domains"),
            N_("Used for sign-up by domain. One domain a line, like example.com."),
        ),
        Setting(
            "blocked_email_domains",
            "lines",
            N_("Blocked domains"),
            N_("Addresses of these domains, and of domains below them, can't sign up."),
        ),
        Setting(
            "block_disposable_email",
            "switch",
            N_("Refuse disposable addresses"),
            N_("People with an address of a throw-away mail service can't sign up."),
        ),
        Setting(
            "require_verified_email",
            "switch",
            N_("Require a verified address"),
            N_("People can sign in only after they have confirmed their address."),
        ),
        Setting(
            "passkey_sign_up",
            "switch",
            N_("Sign-up with only a passkey"),
            N_("People can create an account with a passkey, without a password."),
        ),
    ),
)
PASSWORDS: Final = Section(
    "passwords",
    N_("Passwords"),
    (
        Setting(
            "password_min_length",
            "number",
            N_("Minimum length"),
            N_("New passwords need at least this many characters. Existing ones stay valid."),
            unit=N_("characters"),
        ),
        Setting(
            "password_min_score",
            "choice",
            N_("Minimum strength"),
            N_("How hard a new password must be to guess, as zxcvbn counts. 0 accepts any."),
            (("0", "0"), ("1", "1"), ("2", "2"), ("3", "3"), ("4", "4")),
        ),
        Setting(
            "password_breach_check",
            "switch",
            N_("Refuse leaked passwords"),
            N_(
                "A new password is looked up in a list of leaked ones. The list gets five digits "
                "of a hash, never the password."
            ),
        ),
    ),
)
FACTORS: Final = Section(
    "factors",
    N_("Second factors"),
    (
        Setting(
            "mfa_policy",
            "choice",
            N_("Second step"),
            N_(
                "“Optional” lets people set up a second step. “Required” asks everybody without "
                "one to set it up at the next sign-in."
            ),
            (("off", N_("Off")), ("optional", N_("Optional")), ("required", N_("Required"))),
        ),
        Setting(
            "mfa_remember_device_days",
            "number",
            N_("Remember a device"),
            N_("On a remembered device, people skip the second step for this time. 0: never."),
            unit=N_("days"),
        ),
    ),
)
SESSIONS: Final = Section(
    "sessions",
    N_("Sessions"),
    (
        Setting(
            "session_ttl",
            "duration",
            N_("Lifetime"),
            N_("After this time people sign in again, even if they were active."),
        ),
        Setting(
            "session_idle_ttl",
            "duration",
            N_("Idle limit"),
            N_("A session without activity ends after this time."),
            empty=NO_LIMIT,
        ),
        Setting(
            "session_ttl_remembered",
            "duration",
            N_("Lifetime, if people stay signed in"),
            N_("The same for people who chose to stay signed in."),
        ),
        Setting(
            "session_idle_ttl_remembered",
            "duration",
            N_("Idle limit, if people stay signed in"),
            N_("The same for people who chose to stay signed in."),
            empty=NO_LIMIT,
        ),
    ),
)
