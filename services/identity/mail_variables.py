"""The variables that a template of each kind of mail may use, with samples for previews."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.mail_templates import TemplateNotFound
from common.contracts.tenants import Tenant

KIND_SAMPLES: Final[dict[str, dict[str, object]]] = {
    "sign_in": {"code": "123 456", "link": "…", "minutes": 10, "device": "Firefox on Linux"},
    "sign_up": {"code": "123 456", "link": "…", "minutes": 10, "device": "Firefox on Linux"},
    "sign_up_known": {"code": "123 456", "link": "…", "minutes": 10, "device": "Firefox on Linux"},
    "link_account": {
        "code": "123 456",
        "minutes": 10,
        "device": "Firefox on Linux",
        "provider": "Example",
    },
    "no_account": {"code": "", "link": "", "minutes": 10, "device": "Firefox on Linux"},
    "reset": {
        "code": "123 456",
        "link": "…",
        "minutes": 10,
        "device": "Firefox on Linux",
        "required": "",
    },
    "password_changed": {},
    "email_change": {"code": "123 456", "link": "…", "minutes": 10, "device": ""},
    "email_changed": {"email": "new@example.com"},
    "passkey_added": {"passkey": "iCloud Keychain"},
    "passkey_removed": {"passkey": "iCloud Keychain"},
    "passkey_refused": {"passkey": "YubiKey 5"},
    "new_device": {"device": "Firefox on Linux", "place": "Berlin, Germany"},
    "totp_enabled": {},
    "totp_disabled": {},
    "recovery_codes_changed": {},
    "recovery_code_used": {"left": "9"},
    "factors_reset": {},
    "invitation": {"link": "…", "days": 7, "inviter": "Grace Hopper"},
    "org_invitation": {
        "link": "…",
        "org_name": "Example Ltd",
        "inviter": "Grace Hopper",
        "role": "member",
        "expires_at": "2030-01-01",
        "days": 7,
    },
    "mail_sender_test": {},
}
"""By kind of mail: the variables of this kind alone. `required` says that an administrator requires
a new password."""
SAMPLES: Final[dict[str, object]] = {
    "name": "Ada Lovelace",
    "ip": "203.0.113.7",
    "app_name": "",
    "app_url": "",
    "support_email": "",
    "homepage_url": "",
    "logo_url": "",
}
"""The variables of every kind."""


def variables(kind: str) -> list[str]:
    """Returns the names of the variables that a template of this kind may use."""
    return sorted({*SAMPLES, *KIND_SAMPLES[kind]})


def sample_data(kind: str, tenant: Tenant) -> dict[str, Any]:
    """Returns values for a preview. Raises TemplateNotFound."""
    if kind not in KIND_SAMPLES:
        raise TemplateNotFound
    data = {**SAMPLES, **KIND_SAMPLES[kind]}
    if data.get("link"):
        data["link"] = f"{tenant.origin}/example"
    return data
