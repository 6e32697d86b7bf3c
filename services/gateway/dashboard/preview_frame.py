"""Frames of previews: nothing in them acts, and only the Dashboard may show them."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.dashboard.visit import Visit
from gateway.http.response import GatewayResponse
from gateway.pages.form_errors import Errors

POLICY = b"content-security-policy"


def inert_policy(origin: str, *, styles: str, pictures: Iterable[str]) -> str:
    """Returns the policy of a frame on the Dashboard's `origin`. It names origins, because 'self' means
    nothing to a sandboxed page."""
    parts = (
        "default-src 'none'",
        f"style-src {styles}",
        " ".join(("img-src", *(sorted(pictures) or ("'none'",)))),
        "base-uri 'none'",
        "form-action 'none'",
        f"frame-ancestors {origin}",
        "sandbox",
    )
    return "; ".join(parts)


def refused_frame(visit: Visit, heading: str, errors: Errors) -> GatewayResponse:
    """Shows in the frame why there is no preview."""
    response = visit.show(
        "preview_refused.html", errors.status, heading=heading, sentences=list(errors.values())
    )
    policy = inert_policy(visit.request.app.origin, styles="'none'", pictures=())
    response.headers = [
        *(header for header in response.headers if header[0] != POLICY),
        (POLICY, policy.encode("latin-1")),
    ]
    if errors.retry_after is not None:
        response.headers.append((b"retry-after", b"%d" % errors.retry_after))
    return response
