"""Chooses one of the browser's sessions (OpenID Connect Core section 3.1.2.1).

It is the hinted one, or the one that the user chose for this client before. Otherwise the user
chooses now.
"""

from __future__ import annotations

from common.address_keys import address_key
from common.context import Context
from common.contracts.authorization import Authorization, SignedIn
from common.contracts.oauth_errors import AccountSelectionRequired
from oidc import prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.subjects import subject


async def session_is_chosen(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sets `session`, or sends the user to the page that lists their accounts."""
    if not request.others or _was_chosen_now(request):
        return None
    session = _hinted_session(deps, request) or _session_by_id(
        request, request.choices.get(request.client.client_id)
    )
    if session is not None:
        request.session = session
        return None
    if request.hinted_sub is not None or "login" in request.prompts:
        return None  # a later step asks the hinted user to sign in
    if request.silent:
        raise AccountSelectionRequired
    return await prompts.select_account(deps, ctx, request)


def _was_chosen_now(request: AuthorizationRequest) -> bool:
    """Returns whether the user chose the session in this request.

    They chose it from the list, signed in with it, or answered the consent page that it was shown.
    """
    if request.session is None or request.pending is None:
        return False
    if request.selected or request.was_prompted("signed_in"):
        return True
    same = request.pending.session_id == request.session.session_id
    return (same and request.consent is not None) or (
        not same and request.was_prompted("select_account")
    )


def _hinted_session(deps: Deps, request: AuthorizationRequest) -> SignedIn | None:
    """Returns the session of the user that `id_token_hint` or `login_hint` names."""
    login = request.parameters.get("login_hint", "")
    for session in _sessions(request):
        if request.hinted_sub is not None:
            if subject(deps.keys, request.client, session.user_id) == request.hinted_sub:
                return session
        elif login and session.email and address_key(login) == address_key(session.email):
            return session
    return None


def _session_by_id(request: AuthorizationRequest, session_id: str | None) -> SignedIn | None:
    sessions = _sessions(request)
    return next((session for session in sessions if session.session_id == session_id), None)


def _sessions(request: AuthorizationRequest) -> list[SignedIn]:
    return [*([request.session] if request.session else []), *request.others]
