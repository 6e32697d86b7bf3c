"""Where mailed and one-time links lead."""

from __future__ import annotations

from typing import Final

LINKS: Final = {
    "sign_in": "/login/link",
    "reset": "/reset",
    "invitation": "/invitation",
    "verify_email": "/verify-email",
    "owner": "/welcome",
    "impersonation": "/impersonation",
}
"""Paths of the pages that such links lead to; each takes `?token=`."""
