"""The endpoints of the policy decision point (OpenID AuthZEN), for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from gateway.api.openapi_problems import LIMITED, USUAL

TEXT: Final = {"type": "string"}
PROPERTIES: Final = {"type": "object", "additionalProperties": True}


def _object(description: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
    }


def _entity(name: str) -> dict[str, Any]:
    return _object(f"The {name}.", ["type", "id"], type=TEXT, id=TEXT, properties=PROPERTIES)


MEMBERS: Final = {
    "subject": _entity("subject: type `user`, and the id of a user"),
    "action": _object("The action.", ["name"], name=TEXT, properties=PROPERTIES),
    "resource": _entity("resource. `properties.org_id` names the organization that it belongs to"),
    "context": PROPERTIES,
}
REF: Final = "#/components/schemas/"
AUTHZEN_SCHEMAS: Final[dict[str, Any]] = {
    "AuthzenEvaluation": _object(
        "A question: may the subject do `<type of the resource>:<name of the action>`? Properties of "
        "the subject have no effect.",
        ["subject", "action", "resource"],
        **MEMBERS,
    ),
    "AuthzenEvaluations": _object(
        "Up to 100 questions. Members outside of `evaluations` are their defaults.",
        [],
        **MEMBERS,
        evaluations={
            "type": "array",
            "maxItems": 100,
            "items": {"type": "object", "properties": MEMBERS},
        },
        options={
            "type": "object",
            "properties": {
                "evaluations_semantic": {
                    "type": "string",
                    "enum": ["execute_all", "deny_on_first_deny", "permit_on_first_permit"],
                }
            },
        },
    ),
    "AuthzenDecision": _object("The decision.", ["decision"], decision={"type": "boolean"}),
    "AuthzenDecisions": _object(
        "The decisions in the order of the questions, or one if there was no list.",
        [],
        evaluations={"type": "array", "items": {"$ref": f"{REF}AuthzenDecision"}},
        decision={"type": "boolean"},
    ),
    "AuthzenConfiguration": _object(
        "Where decisions are made (section 9).",
        ["policy_decision_point", "access_evaluation_endpoint"],
        policy_decision_point=TEXT,
        access_evaluation_endpoint=TEXT,
        access_evaluations_endpoint=TEXT,
    ),
}


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REF + schema}}}


def _post(summary: str, body: str, answer: str) -> dict[str, Any]:
    usual = {status: {"description": USUAL[status]} for status in ("403", "404", "413", "503")}
    return {
        "tags": ["authorize"],
        "summary": summary,
        "description": "Needs `authz:evaluate` and the setting `authzen`. What does not exist is denied. "
        "The `X-Request-ID` of the request comes back.",
        "security": [{"bearer": []}],
        "requestBody": {"required": True, "content": _content(body)},
        "responses": {
            "200": {
                "description": AUTHZEN_SCHEMAS[answer]["description"],
                "content": _content(answer),
            },
            "400": {"description": "The request is malformed."},
            "401": {"description": USUAL["401"]},
            "429": LIMITED,
            **usual,
        },
    }


AUTHZEN: Final[dict[str, Any]] = {
    "/.well-known/authzen-configuration": {
        "get": {
            "tags": ["authorize"],
            "summary": "Get the metadata of the policy decision point",
            "security": [],
            "responses": {
                "200": {
                    "description": AUTHZEN_SCHEMAS["AuthzenConfiguration"]["description"],
                    "content": _content("AuthzenConfiguration"),
                },
                "404": {"description": "The application has not switched `authzen` on."},
            },
        }
    },
    "/access/v1/evaluation": {
        "post": _post("Evaluate one question (AuthZEN)", "AuthzenEvaluation", "AuthzenDecision")
    },
    "/access/v1/evaluations": {
        "post": _post("Evaluate questions (AuthZEN)", "AuthzenEvaluations", "AuthzenDecisions")
    },
}
