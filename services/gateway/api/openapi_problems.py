"""How the OpenAPI document describes what goes wrong."""

from __future__ import annotations

from typing import Any, Final

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Machine-readable name."},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The trace of the request."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
USUAL: Final = {
    "400": "It cannot be understood.",
    "401": "Nobody is signed in, or the credential does not hold.",
    "403": "The caller lacks the permission, or the call came from another site.",
    "404": "There is no such thing, or it is not yours.",
    "409": "It contradicts what is there already.",
    "410": "It was used already or has expired.",
    "413": "The request is too large.",
    "422": "Some fields are not valid; `errors` names each.",
    "429": "Too often; see Retry-After.",
    "503": "A part of the service is not available, or busy; see Retry-After.",
    "504": "It took too long.",
}

LEFT: Final = {
    "X-RateLimit-Limit": "How many there are at once.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "When all are there again, in Unix time.",
}
"""Where a limit of the caller's network applies: to whom shows no credential that holds."""
LIMITED: Final[dict[str, Any]] = {
    "description": USUAL["429"],
    "headers": {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
        **{
            name: {"description": says, "schema": {"type": "integer"}}
            for name, says in LEFT.items()
        },
    },
}
