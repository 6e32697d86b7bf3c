"""The access that a client requests, in words: for the consent page, and the page about a device."""

from __future__ import annotations

from common.contracts.authorization import Authorization
from common.message_ids import N_
from gateway.pages.render import PageView
from gateway.pages.scope_texts import SCOPE_TEXTS


def requested_access(page: PageView, authorization: Authorization) -> list[tuple[str, str]]:
    """Returns the name of an icon and a sentence for each scope and resource."""
    standard = [SCOPE_TEXTS[scope] for scope in authorization.scopes if scope in SCOPE_TEXTS]
    texts = authorization.scope_texts
    other = [
        ("key", texts.get(scope, scope))
        for scope in authorization.scopes
        if scope not in SCOPE_TEXTS
    ]
    apis = [
        ("key", page.translate(N_("Use %(api)s on your behalf"), api=name))
        for name in authorization.resources
    ]
    return [(sign, page.translate(sentence)) for sign, sentence in standard] + other + apis
