"""A form that comes back after the session it was shown in has changed: nothing is done with it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from gateway.http.request import GatewayRequest
from gateway.pages.fields import Fields
from gateway.pages.render import open_page
from gateway.state import Signed

STATUS: Final = 409
HIDDEN: Final = ("csrf", "password", "proof", "captcha", "token", "code", "request", "session")
"""Parts of field names whose values are secrets, or nothing that a person typed."""
LONGEST: Final = 5_000
"""Characters of a value that are shown again."""


def changed_session(
    visit: GatewayRequest, fields: Fields, signed: Signed, page_of: str
) -> Response:
    """Names the account that is signed in now and shows the input again, to copy. `page_of` is
    the address of the page with the same form for that account."""
    page = open_page(visit, signed)
    session = signed.session
    return page.show(
        "moved.html",
        STATUS,
        name=session.name or session.email or "",
        typed=[value[:LONGEST] for name, value in fields.items() if value and _typed(name)],
        again=page_of,
    )


def _typed(name: str) -> bool:
    return not name.endswith("_id") and not any(part in name for part in HIDDEN)
