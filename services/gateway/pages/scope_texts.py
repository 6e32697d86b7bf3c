"""The scopes of OpenID Connect in words."""

from __future__ import annotations

from typing import Final

from common.message_ids import N_

SCOPE_TEXTS: Final = {
    "openid": ("person", N_("Identify you")),
    "profile": ("person", N_("See your name, picture and language")),
    "email": ("mail", N_("See your e-mail address")),
    "phone": ("phone", N_("See your phone number")),
    "address": ("mail", N_("See your postal address")),
    "offline_access": ("clock", N_("Stay connected when you're not using it")),
    "account": ("person", N_("Manage your account: profile, sessions and organizations")),
}
"""By scope (OpenID Connect Core 5.4 and 11): an icon, and what a client may do with it."""
