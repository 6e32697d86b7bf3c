"""The content of the request of each operation, by its name at an application's own host."""

from __future__ import annotations

from typing import Final

from aero2.isolation import recipes_of_administrators, recipes_of_people
from aero2.isolation.recipe import By, Recipe

RECIPES: Final = recipes_of_people.RECIPES | recipes_of_administrators.RECIPES


def recipe_of(name: str) -> Recipe:
    """Returns the recipe of an operation. Without one of its own, it has no body, and who does it follows
    from its path."""
    return RECIPES.get(name) or Recipe(by=_by(name.partition(" ")[2]))


def _by(path: str) -> By:
    if path.startswith("/api/platform/"):
        return "operator"
    if path.startswith("/api/applications"):
        return "developer"
    if path.startswith(("/api/users/me", "/api/sessions")):
        return "user"
    if path.startswith(("/api/auth/", "/.well-known/", "/oauth2/")):
        return "nobody"
    return "key"
