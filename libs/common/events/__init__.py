"""The catalogue of audit events, by noun. A type is a noun and a past participle: `user_created`."""

from typing import Final

from common.events import (
    api_keys,
    applications,
    audit,
    clients,
    consents,
    domains,
    identities,
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
    identities,
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
"""The modules in the order of docs/events.md."""
