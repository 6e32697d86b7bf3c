"""The problems of each operation in the OpenAPI document."""

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
    "description": "Describes an error (RFC 9457 problem details).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:problem:invalid"]},
        "title": {"type": "string", "description": "The kind of error, for people."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "code": {"type": "string", "description": "The kind of error, for programs."},
        "detail": {"type": "string", "description": "What happened and what to do, for people."},
        "instance": {"type": "string", "description": "The trace id of the request."},
        "errors": {
            "type": "array",
            "description": "What is wrong with each field.",
            "items": FIELD_ERROR,
        },
    },
}
USUAL: Final = {
    "400": "The request is malformed.",
    "401": "The credential is missing, not valid or expired.",
    "403": "The caller lacks a permission, or the request came from another site.",
    "404": "The object does not exist, or you have no access to it.",
    "409": "The request conflicts with the current state.",
    "410": "The code or link was used or has expired.",
    "413": "The request is too large.",
    "422": "Some fields are not valid. `errors` lists them.",
    "429": "Too many requests. Wait for the seconds in `Retry-After`.",
    "503": "The service is busy or not available. Wait for the seconds in `Retry-After`.",
    "504": "The request took too long.",
}

LEFT: Final = {
    "X-RateLimit-Limit": "The most requests that you can send at once.",
    "X-RateLimit-Remaining": "The number of requests that are left now.",
    "X-RateLimit-Reset": "When the full limit is available again, in Unix time.",
}
"""Headers of responses to requests without a valid credential: the limit of the caller's network
applies to them."""
LIMITED: Final[dict[str, Any]] = {
    "description": USUAL["429"],
    "headers": {
        "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
        **{
            name: {"description": says, "schema": {"type": "integer"}}
            for name, says in LEFT.items()
        },
    },
}
