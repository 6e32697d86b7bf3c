"""A router that skips paths of other nouns."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from fastapi import APIRouter
from starlette.routing import Match

APPLICATIONS = "applications"
"""On the Dashboard's host `/api/applications/{slug}/…` leads to the same routers as `/api/…`."""


class NounRouter(APIRouter):
    """Matches only paths that begin with a word of its routes. FastAPI would compare each request with
    every route of every router, and the first word rules out nearly all of them."""

    @cached_property
    def words(self) -> frozenset[str]:
        """The words with which the paths of its routes begin. Read only after all routes are added."""
        return frozenset(getattr(route, "path", "/").split("/")[1] for route in self.routes)

    def matches(self, scope: Any) -> tuple[Match, Any]:
        _, _, *words = scope["path"].split("/", 5)
        if words[:1] and words[0] in self.words:
            return super().matches(scope)
        if words[:1] == [APPLICATIONS] and len(words) > 2 and words[2] in self.words:
            return super().matches(scope)
        return Match.NONE, {}
