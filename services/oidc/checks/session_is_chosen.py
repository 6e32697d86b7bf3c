"""Which of the browser's sessions is meant: the hinted one, the one that the person chose for this
client before, or the one that they choose now (OpenID Connect Core section 3.1.2.1)."""

from __future__ import annotations

from common.addresses import address_key
from common.context import Context
from common.contracts.authorization import Authorization, SignedIn
from common.contracts.oauth_errors import AccountSelectionRequired
from oidc import prompts
from oidc.deps import Deps
from oidc.request import AuthorizationRequest
from oidc.subjects import subject


async def session_is_chosen(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    if not request.others or _chosen_now(request):
        return None
    hinted = _hinted(deps, request)
    chosen = hinted or _by_id(request, request.choices.get(request.client.client_id))
    if chosen is not None:
        request.session = chosen
        return None
    if request.hinted_sub is not None or "login" in request.prompts:
        return None  # the person signs in as whoever is meant
    if request.silent:
        raise AccountSelectionRequired
    return await prompts.select_account(deps, ctx, request)


def _chosen_now(request: AuthorizationRequest) -> bool:
    """The person has chosen the session, signed in with it, or decided on the consent it was
    shown to."""
    if request.session is None or request.pending is None:
        return False
    if request.selected or request.prompted("signed_in"):
        return True
    same = request.pending.session_id == request.session.session_id
    return (same and request.consent is not None) or (
        not same and request.prompted("select_account")
    )


def _hinted(deps: Deps, request: AuthorizationRequest) -> SignedIn | None:
    """The session of the user that `id_token_hint` or `login_hint` names."""
    login = request.given.get("login_hint", "")
    for session in _all(request):
        if request.hinted_sub is not None:
            if subject(deps.keys, request.client, session.user_id) == request.hinted_sub:
                return session
        elif login and session.email and address_key(login) == address_key(session.email):
            return session
    return None


def _by_id(request: AuthorizationRequest, session_id: str | None) -> SignedIn | None:
    return next((one for one in _all(request) if one.session_id == session_id), None)


def _all(request: AuthorizationRequest) -> list[SignedIn]:
    return [*([request.session] if request.session else []), *request.others]
