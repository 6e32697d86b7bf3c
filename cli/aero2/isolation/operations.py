"""The operations of an OpenAPI document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

IN_APPLICATION: Final = "/api/applications/{slug}"
"""Below this path, the Dashboard has the operations of applications."""
METHODS: Final = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    public: bool
    """Whether the document asks for no credential."""
    in_dashboard: bool = False
    """Whether only the host of the Dashboard has it."""

    @property
    def name(self) -> str:
        """The name in reports."""
        return f"{self.method} {self.path}"

    @property
    def recipe(self) -> str:
        """The name of the same operation at an application's own host."""
        inner = self.path.removeprefix(IN_APPLICATION)
        return f"{self.method} /api{inner}" if self.is_nested else self.name

    @property
    def is_nested(self) -> bool:
        """Whether developers do in the Dashboard what the application's own host offers, too."""
        return self.path.startswith(f"{IN_APPLICATION}/") and not self.path.startswith(
            (
                f"{IN_APPLICATION}/api-keys",
                f"{IN_APPLICATION}/transfer",
                f"{IN_APPLICATION}/domains",
            )
        )

    @property
    def safe(self) -> bool:
        """Whether it only reads."""
        return self.method == "GET"

    @property
    def parameters(self) -> list[str]:
        """Returns each parameter of the path with the segment before it, like `users/id`."""
        parts = self.path.split("/")
        return [
            f"{before}/{match[1]}"
            for before, part in pairwise(parts)
            if (match := re.fullmatch(r"\{(\w+)\}", part))
        ]


def operations_of(application: dict[str, Any], dashboard: dict[str, Any]) -> list[Operation]:
    """Returns the operations of both documents, each once: those of an application's host first."""
    own = _operations(application)
    own_names = {each.name for each in own}
    more = [
        each for each in _operations(dashboard, in_dashboard=True) if each.name not in own_names
    ]
    return own + more


def _operations(document: dict[str, Any], *, in_dashboard: bool = False) -> list[Operation]:
    return [
        Operation(
            method.upper(),
            path,
            public=_is_public(operation, document),
            in_dashboard=in_dashboard,
        )
        for path, operations in document.get("paths", {}).items()
        for method, operation in operations.items()
        if method in METHODS
    ]


def _is_public(operation: dict[str, Any], document: dict[str, Any]) -> bool:
    """An empty list, or an empty alternative, asks for nothing (OpenAPI 3.1, Security Requirement)."""
    needed = operation.get("security", document.get("security", []))
    return not needed or {} in needed
