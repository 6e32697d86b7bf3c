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
    identity_providers,
    invitations,
    keys,
    mail_senders,
    organizations,
    passkeys,
    passwords,
    platform,
    resources,
    roles,
    second_factors,
    sessions,
    templates,
    tokens,
    users,
)

NOUNS: Final = (
    sessions,
    users,
    passwords,
    passkeys,
    identities,
    second_factors,
    invitations,
    templates,
    mail_senders,
    applications,
    api_keys,
    domains,
    clients,
    consents,
    tokens,
    keys,
    identity_providers,
    resources,
    roles,
    organizations,
    platform,
    audit,
)
"""The modules in the order of docs/events.md."""
