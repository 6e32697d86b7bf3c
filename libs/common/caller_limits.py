"""Limits for guests and for those who act as a user, whatever their permissions."""

from __future__ import annotations

from typing import Any

from common.caller import Caller
from common.contracts.base import Request
from common.problems import GuestRefused, Impersonating


def check(caller: Caller, contract: type[Request[Any]]) -> None:
    """Raises Impersonating for a call that nobody may make as another user, and GuestRefused for one
    that needs credentials. The services' own calls are never refused here."""
    if caller.kind == "system":
        return
    if caller.actor_id is not None and not contract.impersonated:
        raise Impersonating
    if caller.guest and not contract.guests:
        raise GuestRefused
