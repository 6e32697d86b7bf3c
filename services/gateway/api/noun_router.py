"""A router that says at once which paths are none of its own."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from fastapi import APIRouter
from starlette.routing import Match

APPLICATIONS = "applications"
"""`/api/applications/{slug}/…` on the dashboard's host leads to the same routers as `/api/…`."""


class NounRouter(APIRouter):
    """FastAPI asks every router for each of its routes at every request, twice those of the one that
    has it. The first word of a path rules out nearly all of them."""

    @cached_property
    def words(self) -> frozenset[str]:
        """With which the paths of its routes begin. Asked for once all of them are there."""
        return frozenset(getattr(route, "path", "/").split("/")[1] for route in self.routes)

    def matches(self, scope: Any) -> tuple[Match, Any]:
        _, _, *words = scope["path"].split("/", 5)
        if words[:1] and words[0] in self.words:
            return super().matches(scope)
        if words[:1] == [APPLICATIONS] and len(words) > 2 and words[2] in self.words:
            return super().matches(scope)
        return Match.NONE, {}
