"""A form that comes back after the session in which it was shown has changed: nothing is done with it."""

from __future__ import annotations

from typing import Final

from gateway.http.response import GatewayResponse
from gateway.pages.fields import Fields
from gateway.pages.render import PageView

STATUS: Final = 409
HIDDEN: Final = ("csrf", "password", "proof", "captcha", "token", "code", "request", "session")
"""Parts of field names whose values are secrets, or nothing that a person typed."""
MAX_VALUE: Final = 5_000
"""Characters of a value that are shown again."""


def changed_session(page: PageView, fields: Fields, page_path: str) -> GatewayResponse:
    """Names the user who is signed in now, and shows the input again to copy. `page_path` is the
    address of the page with the same form for that user."""
    session = page.user.session if page.user else None
    return page.show(
        "moved.html",
        STATUS,
        name=(session.name or session.email if session else None) or "",
        typed=[value[:MAX_VALUE] for name, value in fields.items() if value and _typed(name)],
        again=page_path,
    )


def _typed(name: str) -> bool:
    return not name.endswith("_id") and not any(part in name for part in HIDDEN)
