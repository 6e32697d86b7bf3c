"""The page for a client whose metadata document cannot be used."""

from __future__ import annotations

from gateway.pages.render import PageView


def heading_and_text(page: PageView) -> tuple[str, str]:
    """Returns what happened, and what the user can do. The cause follows as a detail."""
    return page.translate("This app can't be recognised"), page.translate(
        "The app that sent you here is known by a document on its website, and that can't be "
        "used. Tell its developer, or the people who run %(name)s: they can store a copy of it.",
        name=page.request.app.name,
    )
