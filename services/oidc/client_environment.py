"""The facts that the rules for clients compare a client with."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from common.contracts.app_settings import AppSettings
from common.egress import Egress
from common.field_errors import FieldError

Mistakes = Iterator[FieldError]


@dataclass(frozen=True)
class ClientEnvironment:
    """The facts that rules compare a client with: of its application and of this deployment."""

    acr_values: Collection[str]
    """The classes of sign-in that the application's pages support."""
    resources: Collection[str]
    egress: Egress
    """The addresses that we may call."""
    settings: AppSettings
