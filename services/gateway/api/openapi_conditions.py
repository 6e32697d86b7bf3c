"""Entity tags and conditions in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from common.contracts.versioned import ChangedMeanwhile, Versioned

STATUS: Final = str(ChangedMeanwhile.status)
ETAG: Final[dict[str, Any]] = {
    "description": "The version of the object. Send it in `If-Match` with a change, so that the change "
    "fails if somebody else was faster.",
    "schema": {"type": "string"},
    "example": '"9f2c4e0a6b1d8f35c7a90e2b4d6f8a1c"',
}
IF_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "An `ETag` that GET returned. If the object has another one now, nothing changes, "
    "and the call answers 412 `changed_meanwhile` with the current `ETag`.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "An `ETag` that you have. If the object still has it, the call answers 304.",
    "schema": {"type": "string"},
}


def versioned_paths(app: FastAPI) -> dict[str, type[Versioned]]:
    """Returns the paths at which GET shows one object with a tag, and what it shows."""
    return {
        context.path or "": context.original_route.response_model
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
        and context.original_route.methods == {"GET"}
        and _is_versioned(context.original_route.response_model)
    }


def _is_versioned(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Versioned)


def describe_conditions(
    method: str, operation: dict[str, Any], problem: dict[str, Any], kind: type[Versioned]
) -> None:
    """Adds the headers of an operation at such a path, and the answer to a condition that fails."""
    parameters = operation.setdefault("parameters", [])
    responses = operation["responses"]
    if method != "delete" or "Done" not in str(responses["200"]):
        responses["200"]["headers"] = {"ETag": ETAG}
    if method == "get":
        if not kind.volatile:
            parameters.append(IF_NONE_MATCH)
            responses["304"] = {
                "description": "You have the current version.",
                "headers": {"ETag": ETAG},
            }
        return
    parameters.append(IF_MATCH)
    responses[STATUS] = {
        "description": "Somebody changed the object meanwhile. Nothing was done.",
        "headers": {"ETag": ETAG},
        "content": problem,
    }
