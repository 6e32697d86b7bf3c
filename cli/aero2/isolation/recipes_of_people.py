"""Requests of people: to sign in, about themselves, and through clients."""

from __future__ import annotations

import time
from typing import Any, Final

import pyotp

from aero2.isolation.recipe import By, Recipe, Values
from aero2.isolation.things import address


def _totp(t: Values) -> dict[str, Any]:
    return {"code": pyotp.TOTP(t["totp_secret"]).at(time.time())}


def _user(by: By = "user", **more: Any) -> Recipe:
    return Recipe(by=by, **more)


def _authorization(t: Values) -> dict[str, Any]:
    return {
        "client_id": t["client_id"],
        "redirect_uri": t["callback"],
        "response_type": "code",
        "scope": "openid",
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }


def _metadata(_: Values) -> dict[str, Any]:
    return {"redirect_uris": ["https://canary.example/callback"]}


def _name(_: Values) -> dict[str, Any]:
    return {"name": "Something new"}


def _credential(id: str) -> dict[str, Any]:
    """Returns what a browser would send, with a signature that nobody made."""
    none = {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}
    return {"id": id, "rawId": id, "type": "public-key", "response": none}


RECIPES: Final[dict[str, Recipe]] = {
    # ways in
    "POST /api/auth/signup": _user(
        "nobody", body=lambda t: {"email": t["email"], "password": t["password"]}
    ),
    "POST /api/auth/signup/resend": _user(
        "nobody", body=lambda t: {"flow": t["sign_up_flow"], "browser": t["browser"]}
    ),
    "POST /api/auth/signin": _user(
        "nobody", body=lambda t: {"email": t["email"], "password": t["password"]}
    ),
    "POST /api/auth/code": _user("nobody", body=lambda t: {"email": t["email"]}),
    "POST /api/auth/magic-link": _user("nobody", body=lambda t: {"email": t["candidate_email"]}),
    "POST /api/auth/code/verify": _user(
        "nobody", body=lambda t: {"flow": t["code_flow"], "code": "000000"}
    ),
    "POST /api/auth/link": _user("nobody", body=lambda t: {"token": t["link_token"]}),
    "POST /api/auth/confirm": _user(body=lambda t: {"password": t["password"]}),
    "POST /api/auth/reset": _user("nobody", body=lambda t: {"email": t["own_email"]}),
    "POST /api/auth/reset/finish": _user(
        "nobody", body=lambda t: {"token": t["link_token"], "password": t["new_password"]}
    ),
    "POST /api/auth/password/check": _user(
        "nobody", body=lambda t: {"password": t["password"], "email": t["email"]}
    ),
    "POST /api/auth/verify-email": _user(body=lambda t: {"token": t["link_token"]}),
    "POST /api/auth/invitation": _user("nobody", body=lambda t: {"token": t["link_token"]}),
    "POST /api/auth/invitation/accept": _user(
        "nobody", body=lambda t: {"token": t["link_token"], "password": t["password"]}
    ),
    "POST /api/auth/owner/claim": _user(
        "nobody",
        body=lambda t: {"token": t["link_token"], "email": t["email"], "password": t["password"]},
    ),
    "POST /api/auth/signout": _user("nobody"),
    "POST /api/auth/guest": _user("publishable", body=lambda _: {}),
    "POST /api/auth/provider": _user("nobody", body=lambda t: {"email": t["email"]}),
    "GET /api/auth/session": _user(),
    # oneself
    "PUT /api/users/me": _user(body=_name),
    "POST /api/users/me/email": _user(body=lambda _: {"email": address()}),
    "POST /api/users/me/email/verify": _user(
        body=lambda t: {"flow": t["code_flow"], "code": "000000"}
    ),
    "PUT /api/users/me/password": _user(
        body=lambda t: {"current": t["password"], "password": t["new_password"]}, rank=10
    ),
    "POST /api/users/me/delete": _user(body=lambda t: {"password": t["new_password"]}, rank=12),
    "GET /api/users/me/permissions": _user(query=lambda t: {"org_id": t["org_id"]}),
    # passkeys
    "POST /api/auth/passkey/options": _user("nobody", body=lambda _: {}),
    "POST /api/auth/passkey/verify": _user(
        "nobody", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/second-factor/options": _user("half", body=lambda _: {}),
    "POST /api/auth/passkey/second-factor/verify": _user(
        "half", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/setup/options": _user("half"),
    "POST /api/auth/passkey/setup/verify": _user(
        "half", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/confirm/options": _user(body=lambda _: {}),
    "POST /api/auth/passkey/confirm/verify": _user(
        body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/auth/passkey/signup/options": _user("nobody", body=lambda t: {"email": t["email"]}),
    "POST /api/auth/passkey/signup/verify": _user(
        "nobody", body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "POST /api/users/me/passkeys": _user(
        body=lambda t: {"credential": _credential(t["passkey_id"])}
    ),
    "PUT /api/users/me/passkeys/{id}": _user(body=_name),
    # second factors
    "GET /api/auth/second-factor": _user("half", rank=6),
    "POST /api/auth/second-factor": _user(
        "half", body=lambda t: {"recovery_code": t["recovery_code"]}, rank=6
    ),
    "DELETE /api/auth/second-factor": _user("half", rank=6),
    "POST /api/auth/second-factor/totp/setup": _user("half"),
    "POST /api/auth/second-factor/totp/verify": _user("half", body=lambda _: {"code": "000000"}),
    "POST /api/users/me/mfa/totp/setup": _user(keep={"totp_secret": "secret"}, rank=4),
    "POST /api/users/me/mfa/totp/verify": _user(
        body=_totp,
        keep={"recovery_code": "recovery_codes/0", "second_recovery_code": "recovery_codes/1"},
        rank=5,
    ),
    "POST /api/auth/confirm/second-factor": _user(
        body=lambda t: {"recovery_code": t["second_recovery_code"]}, rank=6
    ),
    "POST /api/users/me/mfa/recovery-codes": _user(rank=7),
    "DELETE /api/users/me/mfa/totp": _user(rank=8),
    # sessions
    "DELETE /api/sessions": _user(rank=9),
    "POST /api/sessions/revoke-all": _user(rank=9),
    # OAuth
    "GET /oauth2/authorize": _user(query=_authorization),
    "POST /oauth2/authorize": _user(form=_authorization),
    "GET /oauth2/logout": _user("nobody", query=lambda t: {"id_token_hint": t["id_token"]}),
    "POST /oauth2/logout": _user("nobody", form=lambda t: {"id_token_hint": t["id_token"]}),
    "POST /oauth2/token": _user(
        "client",
        form=lambda t: {"grant_type": "refresh_token", "refresh_token": t["refresh_token"]},
        keep={"refresh_token": "refresh_token"},
    ),
    "POST /oauth2/introspect": _user("client", form=lambda t: {"token": t["access_token"]}),
    "POST /oauth2/revoke": _user("client", form=lambda t: {"token": t["refresh_token"]}, rank=4),
    "POST /oauth2/register": _user("nobody", body=_metadata),
    "PUT /oauth2/register/{client_id}": _user(
        "nobody", body=lambda t: {**_metadata(t), "client_id": t["client_id"]}
    ),
    "POST /oauth2/par": _user("client", form=_authorization),
    "POST /oauth2/device_authorization": _user("client", form=lambda _: {"scope": "openid"}),
    "GET /oauth2/userinfo": _user("token"),
    "POST /oauth2/userinfo": _user("token"),
}
