"""The accounts at identity providers that are connected to a user."""

from __future__ import annotations

from common.contracts.base import SIGNED_IN, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.problems import Conflict, NotFound


class IdentityNotFound(NotFound):
    """The user has no connected account with this id."""

    code, title = "identity_not_found", "This connected account does not exist."


class TooManyIdentities(Conflict):
    """The user has connected as many accounts as one user can."""

    code, title = (
        "too_many_identities",
        "You have connected too many accounts. Disconnect one first.",
    )


class Identity(Contract):
    """An account at a provider. `provider_user_id` is the user's id there. `email` is the address that
    the provider named last: it may differ from the user's own. `can_confirm`: the provider is enabled
    and is an OpenID provider, so it can say when it last asked for a credential."""

    id: Id
    provider_name: str
    provider_display_name: str
    provider_user_id: str
    email: str | None = None
    name: str | None = None
    last_used_at: Timestamp | None = None
    can_confirm: bool = False
    created_at: Timestamp


class Identities(Contract):
    """A user's connected accounts, the oldest first."""

    identities: list[Identity]


class ListMyIdentities(
    Request[Identities], subject="identity.identity_link.list_own", needs=SIGNED_IN, safe=True
):
    """Lists the accounts at providers that are connected to the calling user."""


class UnlinkMyIdentity(
    Request[Done], subject="identity.identity_link.remove_own", needs=SIGNED_IN, fresh=True
):
    """Disconnects an account at a provider from the calling user. Raises FreshSignInNeeded,
    IdentityNotFound, LastWayIn."""

    link_id: Id


class ListUserIdentities(
    Request[Identities], subject="identity.identity_link.list", needs="users:read", safe=True
):
    """Lists the accounts at providers that are connected to a user. Raises UserNotFound."""

    user_id: Id


class UnlinkUserIdentity(
    Request[Done], subject="identity.identity_link.remove", needs="users:write"
):
    """Disconnects an account at a provider from a user. Raises NotHeld, UserNotFound,
    IdentityNotFound, LastWayIn."""

    user_id: Id
    link_id: Id
