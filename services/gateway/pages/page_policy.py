"""The Content-Security-Policy of pages: own files, and the origins of known pictures, scripts and frames."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.pages.branding import origin_of


def policy_of(
    *, pictures: Iterable[str], captcha: str | None, frames: Iterable[str], away: bool
) -> str:
    """Returns the policy. `captcha` is the address of a script; `away` says whether a form of the page may
    lead to another site."""
    scripts = [origin] if (origin := origin_of(captcha or "")) else []
    framed = sorted({*scripts, *(origin_of(url) or "" for url in frames)})
    parts = [
        "default-src 'none'",
        " ".join(["script-src 'self'", *scripts]),
        "style-src 'self'",
        " ".join(["img-src 'self'", *sorted({origin_of(url) or "" for url in pictures})]),
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if framed:
        parts.append(" ".join(["frame-src", *framed]))
    if not away:
        parts.append("form-action 'self'")
    return "; ".join(parts)
