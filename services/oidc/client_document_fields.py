"""The part of a client's metadata document that we use. All else is ignored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from common.contracts.clients import ClientFields
from common.contracts.fields import UNSEEN
from common.contracts.oauth_errors import UnusableClientDocument
from common.problems import Invalid
from oidc import client_rules, redirect_uris, scope_catalogue
from oidc.client_environment import ClientEnvironment

SECRETS: Final = ("client_secret", "client_secret_expires_at")
METHODS: Final = ("none", "private_key_jwt")
GRANTS: Final = ("authorization_code", "refresh_token")
LINKS: Final = ("logo_uri", "client_uri", "policy_uri", "tos_uri")
MAX_NAME: Final = 100


def from_document(
    document: Any,
    client_id: str,
    environment: ClientEnvironment,
    *,
    ceiling: Iterable[str],
    resources: Iterable[str] = (),
) -> ClientFields:
    """Returns the client that a document describes. Raises UnusableClientDocument with the reason.

    `ceiling` are the scopes that such a client can have, and `resources` those that its tokens are
    for if it names none. Its users are always asked for consent.
    """
    if not isinstance(document, dict):
        raise UnusableClientDocument("the document is no JSON object")
    if document.get("client_id") != client_id:
        raise UnusableClientDocument("the document has another client_id")
    members = {
        **_authentication(document),
        "name": _name(document, client_id),
        "type": _type(document),
        "redirect_uris": _texts(document, "redirect_uris"),
        "grant_types": _grant_types(document),
        "scopes": _scopes(document, list(ceiling)),
        "default_resources": list(resources),
        "first_party": False,
        "require_pkce": True,
        **{name: _link(document, name) for name in LINKS},
    }
    try:
        fields = ClientFields.model_validate(members)
        client_rules.check(fields, environment)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise UnusableClientDocument(f"{place} is not valid") from None
    except Invalid as problem:
        raise UnusableClientDocument(_first(problem)) from None
    return fields


def _first(problem: Invalid) -> str:
    mistake = problem.extra["errors"][0]
    return f"{mistake['field']}: {mistake['message']}"[:200]


def _authentication(document: dict[str, Any]) -> dict[str, Any]:
    """Returns how the client authenticates: not at all, or by its own key. A secret that everybody can
    read is none."""
    method = document.get("token_endpoint_auth_method", "none")
    if method not in METHODS or any(document.get(name) for name in SECRETS):
        raise UnusableClientDocument("a document cannot have a client secret")
    if method == "none":
        return {"token_endpoint_auth_method": method}
    return {
        "token_endpoint_auth_method": method,
        "token_endpoint_auth_alg": document.get("token_endpoint_auth_signing_alg"),
        "jwks": document.get("jwks"),
        "jwks_uri": document.get("jwks_uri"),
    }


def _type(document: dict[str, Any]) -> str:
    """Returns the type by the redirect URIs: few documents have the member `application_type`."""
    uris = _texts(document, "redirect_uris")
    https = all(uri.startswith("https://") for uri in uris)
    return "web" if https and document.get("application_type", "web") == "web" else "native"


def _name(document: dict[str, Any], client_id: str) -> str:
    """Returns the name, or the host if there is none. Nobody has checked it."""
    name = document.get("client_name")
    text = UNSEEN.sub("", name).strip()[:MAX_NAME].strip() if isinstance(name, str) else ""
    return text or (urlsplit(client_id).hostname or client_id)[:MAX_NAME]


def _texts(document: dict[str, Any], name: str) -> list[str]:
    texts = document.get(name)
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise UnusableClientDocument(f"{name} is no list of texts")
    return list(dict.fromkeys(texts))


def _grant_types(document: dict[str, Any]) -> list[str]:
    """Returns the grants of people (RFC 7591 section 2). Others are ignored."""
    if "code" not in (document.get("response_types") or ["code"]):
        raise UnusableClientDocument("response_types has no code")
    named = document.get("grant_types") or ["authorization_code"]
    grants = [name for name in GRANTS if isinstance(named, list) and name in named]
    if "authorization_code" not in grants:
        raise UnusableClientDocument("grant_types has no authorization_code")
    return grants


def _scopes(document: dict[str, Any], ceiling: list[str]) -> list[str]:
    """Returns the scopes of the document that are below the ceiling, or the ceiling if it names none."""
    named = document.get("scope")
    if not isinstance(named, str) or not named.strip():
        return ceiling
    scopes = scope_catalogue.parse(named)
    return [name for name in ceiling if name in scopes]


def _link(document: dict[str, Any], name: str) -> str | None:
    """Returns a link for the consent page. Nothing at these addresses is ever called."""
    link = document.get(name)
    usable = isinstance(link, str) and len(link) <= 2000 and redirect_uris.is_web(link)
    return link if usable else None
