"""The FAPI 2.0 checklist of a client: what its settings meet, and what each request is checked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from common.contracts.app_settings import AppSettings
from common.contracts.clients import Client
from common.field_errors import MESSAGES
from common.message_ids import N_
from common.security_profiles import ALG_FIELDS, ALGORITHMS, DEMANDS, FAPI2

LABELS: Final = {
    "authentication": N_("The client authenticates by a key, not by a secret"),
    "keys": N_("The client has registered its public keys"),
    "algorithms": N_("Every algorithm is PS256, ES256 or EdDSA"),
    "pushed_requests": N_("The application takes pushed requests"),
    "redirects": N_("Every redirect URI is https"),
    "pkce": N_("The client uses PKCE"),
    "refresh_tokens": N_("Refresh tokens do not rotate"),
}
EACH_REQUEST: Final = (
    N_("Authorization requests are pushed, with a redirect URI"),
    N_("PKCE with S256"),
    N_("The audience of an assertion is the issuer alone"),
    N_("Every token is bound to a key (DPoP)"),
    N_("A code is redeemed within 60 seconds"),
)
"""The checks of each request, whatever the settings are."""
SETTABLE: Final = frozenset({*ALG_FIELDS, "rotate_refresh_tokens", "require_pkce"})
"""Fields that switching the profile on sets, too."""
ALG: Final = "ES256"


@dataclass(frozen=True)
class CheckedDemand:
    """One line of the list. `fields` are the settings that contradict it, each with the reason.
    `follows`: switching the profile on changes all of them."""

    label: str
    fields: list[tuple[str, str]]
    follows: bool


def checklist(client: Client, settings: AppSettings) -> list[CheckedDemand]:
    """Returns each demand on the client's settings."""
    lines = []
    for demand in DEMANDS:
        unmet = demand.unmet(client, settings)
        fields = [(field, MESSAGES[code]) for field, code in unmet]
        follows = bool(unmet) and all(field in SETTABLE for field, _ in unmet)
        lines.append(CheckedDemand(LABELS[demand.name], fields, follows))
    return lines


def switch_on(client: Client) -> dict[str, Any]:
    """Returns the changes that switch the profile on, with the settings that follow from it."""
    changes: dict[str, Any] = {"security_profile": FAPI2, "rotate_refresh_tokens": False}
    for name in ALG_FIELDS:
        alg = getattr(client, name)
        if alg is not None and alg not in ALGORITHMS:
            changes[name] = ALG
    if client.require_pkce is False:
        changes["require_pkce"] = True
    return changes
