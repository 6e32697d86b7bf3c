"""Which of the browser's sessions is meant: the hinted one, the one that the person chose for this
client before, or the one that they choose now (OpenID Connect Core section 3.1.2.1)."""

from __future__ import annotations

from common.addresses import address_key
from common.context import Context
from common.contracts.oidc import AccountSelectionRequired, Authorization, SignedIn
from oidc import prompts
from oidc.deps import Deps
from oidc.request import Asked
from oidc.subjects import subject


async def session_is_chosen(deps: Deps, ctx: Context, asked: Asked) -> Authorization | None:
    if not asked.others or _chosen_now(asked):
        return None
    hinted = _hinted(deps, asked)
    chosen = hinted or _by_id(asked, asked.choices.get(asked.client.client_id))
    if chosen is not None:
        asked.session = chosen
        return None
    if asked.hinted_sub is not None or "login" in asked.prompts:
        return None  # the person signs in as whoever is meant
    if asked.silent:
        raise AccountSelectionRequired
    return await prompts.select_account(deps, ctx, asked)


def _chosen_now(asked: Asked) -> bool:
    """The person has chosen the session, signed in with it, or decided on the consent it was
    shown to."""
    if asked.session is None or asked.pending is None:
        return False
    if asked.selected or asked.prompted("signed_in"):
        return True
    same = asked.pending.session_id == asked.session.session_id
    return (same and asked.consent is not None) or (not same and asked.prompted("select_account"))


def _hinted(deps: Deps, asked: Asked) -> SignedIn | None:
    """The session of the user that `id_token_hint` or `login_hint` names."""
    login = asked.given.get("login_hint", "")
    for session in _all(asked):
        if asked.hinted_sub is not None:
            if subject(deps.keys, asked.client, session.user_id) == asked.hinted_sub:
                return session
        elif login and session.email and address_key(login) == address_key(session.email):
            return session
    return None


def _by_id(asked: Asked, session_id: str | None) -> SignedIn | None:
    return next((one for one in _all(asked) if one.session_id == session_id), None)


def _all(asked: Asked) -> list[SignedIn]:
    return [*([asked.session] if asked.session else []), *asked.others]
