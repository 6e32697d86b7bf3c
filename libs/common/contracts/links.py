"""Where mailed links lead."""

from __future__ import annotations

from typing import Final

LINKS: Final = {
    "sign_in": "/login/link",
    "reset": "/reset",
    "invitation": "/invitation",
    "verify_email": "/verify-email",
    "owner": "/welcome",
}
"""Paths of the pages that mailed links lead to; each takes `?token=`."""
