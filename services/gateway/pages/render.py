"""Templates to responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from common.problems import Problem
from gateway import csrf
from gateway.visit import Visit

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' https: data:; "
    "font-src 'self'; connect-src 'self'; form-action {forms}; base-uri 'none'; "
    "frame-ancestors 'none'"
)

environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    enable_async=False,
)


def page(visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
    """Render a template for this visit; never cached."""
    html = environment.get_template(template).render(
        app=visit.app, csrf=csrf.form_token(visit), **values
    )
    policy = POLICY.format(forms=values.get("form_action", "'self'"))
    return HTMLResponse(
        html, status, headers={"content-security-policy": policy, "cache-control": "no-store"}
    )


def problem(visit: Visit, error: Problem) -> Response:
    """An error for a person."""
    return page(visit, "error.html", error.status, title=error.title, detail=error.detail)


def go(location: str) -> Response:
    """303, so that a POST is never repeated elsewhere (RFC 9700 section 4.12)."""
    return RedirectResponse(location, 303, headers={"cache-control": "no-store"})
