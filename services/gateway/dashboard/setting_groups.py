"""The rest of the sections, and all of them in their order."""

from __future__ import annotations

from typing import Final

from common.message_ids import N_
from gateway.dashboard.registration_settings import REGISTRATION
from gateway.dashboard.setting_requests import REQUESTS
from gateway.dashboard.setting_sections import (
    FACTORS,
    LOCALES,
    PASSWORDS,
    SESSIONS,
    SIGN_IN,
    SIGN_UP,
    Section,
    Setting,
)

PROTECTION: Final = Section(
    "protection",
    N_("Protection"),
    (
        Setting(
            "captcha",
            "captcha",
            N_("Captcha"),
            N_(
                "People solve it before they sign up, and after repeated failures. Works with "
                "Turnstile, hCaptcha and reCAPTCHA. Leave all fields empty for none."
            ),
        ),
        Setting(
            "proof_of_work_bits",
            "number",
            N_("Proof of work"),
            N_(
                "The browser computes for a moment before costly actions. Each bit doubles the "
                "time, and 18 take about a second. 0: none."
            ),
            unit=N_("bits"),
        ),
        Setting(
            "allowed_origins",
            "lines",
            N_("Allowed origins"),
            N_(
                "Web pages of these origins can call the API from a browser (CORS). One a line, "
                "like https://app.example.com."
            ),
        ),
        Setting(
            "audit_retention_days",
            "number",
            N_("Keep the audit log"),
            N_("Older events are deleted for good."),
            unit=N_("days"),
            empty=N_("Empty: for ever."),
        ),
    ),
)
ORGANIZATIONS: Final = Section(
    "organizations",
    N_("Organizations"),
    (
        Setting(
            "organizations_by_users",
            "switch",
            N_("Users create organizations"),
            N_("If this is off, only your server creates organizations."),
        ),
        Setting(
            "signup_by_organization_invitations",
            "switch",
            N_("Sign-up by invitation to an organization"),
            N_("If sign-up is for invited people, an invitation to an organization counts too."),
        ),
    ),
)
GUESTS: Final = Section(
    "guest-access",
    N_("Guests and impersonation"),
    (
        Setting(
            "guests",
            "switch",
            N_("Guest accounts"),
            N_("People can use your application before they sign up, and keep what they made."),
        ),
        Setting(
            "impersonation",
            "switch",
            N_("Impersonation"),
            N_(
                "Administrators with the permission `users:impersonate` can act as a user. Each "
                "use is in the audit log."
            ),
        ),
    ),
)
DEVICES: Final = Section(
    "device-sign-in",
    N_("Device sign-in"),
    (
        Setting(
            "device_authorization",
            "switch",
            N_("Sign-in by a code"),
            N_(
                "Command-line tools and televisions show a code, which the user types in a browser. "
                "Each client needs the grant type, too."
            ),
        ),
    ),
)
METADATA: Final = Section(
    "metadata",
    N_("Metadata"),
    (
        Setting(
            "user_metadata_schema",
            "schema",
            N_("Schema of user metadata"),
            N_("A JSON Schema for what users can change themselves. Other values are refused."),
            empty=N_("Empty: any object."),
        ),
        Setting(
            "public_metadata_schema",
            "schema",
            N_("Schema of public metadata"),
            N_("A JSON Schema for what users can read and your server writes."),
            empty=N_("Empty: any object."),
        ),
        Setting(
            "private_metadata_schema",
            "schema",
            N_("Schema of private metadata"),
            N_("A JSON Schema for what only your server sees."),
            empty=N_("Empty: any object."),
        ),
    ),
)
PAGE_TEXTS: Final = Section(
    "texts",
    N_("Texts of pages"),
    (
        Setting(
            "page_texts",
            "texts",
            N_("Your own texts"),
            N_("They replace or follow ours, in plain text without links. Empty: our text."),
        ),
    ),
)
ACCESS: Final = Section(
    "access-decisions",
    N_("Access decisions"),
    (
        Setting(
            "authzen",
            "switch",
            N_("AuthZEN"),
            N_(
                "API gateways and other enforcement points can ask which user may do what. They need "
                "a secret key or a token with the permission `authz:evaluate`."
            ),
        ),
    ),
)
LANGUAGES: Final = Section(
    "languages",
    N_("Language and time"),
    (
        Setting(
            "default_locale",
            "choice",
            N_("Language of pages and mails"),
            N_("Used if neither the user nor the browser asks for another one."),
            LOCALES,
        ),
        Setting(
            "time_zone",
            "zone",
            N_("Time zone"),
            N_(
                "Days in the charts of the overview begin at midnight there. Users see nothing of it."
            ),
        ),
    ),
)
TOKEN_EXCHANGE: Final = Section(
    "token-exchange",
    N_("Token exchange"),
    (
        Setting(
            "token_exchange",
            "switch",
            N_("Exchange tokens"),
            N_("Clients with a policy exchange a user's token for one at another API (RFC 8693)."),
        ),
        Setting(
            "jwt_bearer",
            "switch",
            N_("Exchange assertions of identity providers"),
            N_(
                "Clients with a policy get tokens for what an identity provider asserts: agents of "
                "companies (RFC 7523, ID-JAG)."
            ),
        ),
    ),
)
SECTIONS: Final = (
    SIGN_IN,
    SIGN_UP,
    PASSWORDS,
    FACTORS,
    SESSIONS,
    PROTECTION,
    ORGANIZATIONS,
    GUESTS,
    REGISTRATION,
    METADATA,
    PAGE_TEXTS,
    LANGUAGES,
    DEVICES,
    ACCESS,
    TOKEN_EXCHANGE,
    REQUESTS,
)
