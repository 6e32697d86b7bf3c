"""How the OpenAPI document describes what goes wrong."""

from __future__ import annotations

from typing import Any, Final

FIELD_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["field", "code", "params", "message"],
    "properties": {
        "field": {
            "type": "string",
            "description": "The place of the field, like `profile.locale` or `users.0.email`.",
            "examples": ["password"],
        },
        "code": {
            "type": "string",
            "description": "What is wrong. Rely on this: docs/errors.md lists all codes.",
            "examples": ["password_too_short"],
        },
        "params": {
            "type": "object",
            "description": "The values that the message names, for a text of your own.",
            "additionalProperties": {"type": ["integer", "number", "string"]},
            "examples": [{"minimum": 8}],
        },
        "message": {
            "type": "string",
            "description": "An English sentence. Its wording may change.",
            "examples": ["The password must have at least 8 characters."],
        },
    },
}
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
            "description": "What is wrong with each field.",
            "items": FIELD_ERROR,
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
