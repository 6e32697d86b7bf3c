"""The catalogue of audit events, by noun. Most types are named `<noun>_<past participle>`."""

from typing import Final

from common.events import (
    api_keys,
    applications,
    audit,
    clients,
    consents,
    domains,
    invitations,
    keys,
    organizations,
    passwords,
    resources,
    roles,
    sessions,
    templates,
    tokens,
    users,
)

NOUNS: Final = (
    sessions,
    users,
    passwords,
    invitations,
    templates,
    applications,
    api_keys,
    domains,
    clients,
    consents,
    tokens,
    keys,
    resources,
    roles,
    organizations,
    audit,
)
"""In the order in which docs/events.md tells them."""
