"""Fills a canary: one thing of each kind, made by its own credentials."""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from aero2.failures import CommandError
from aero2.isolation.canary import Canary, refusal
from aero2.isolation.things import address, client_document, word
from aero2.isolation.wire import NONE, Credential, Parts, Wire
from common.grant_types import DEVICE_CODE
from common.ids import new_id

CALLBACK: Final = "https://callback.example.invalid/cb"
VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""The pair of RFC 7636, appendix B."""
SETTINGS: Final = {
    "mfa_policy": "optional",
    "guests": True,
    "pushed_authorization_requests": True,
    "impersonation": True,
    "passkey_sign_up": True,
    "authzen": True,
    "device_authorization": True,
    "auth_methods": ["password", "email_code", "magic_link", "passkey"],
}
SENDER: Final = {"host": "mail.example.invalid", "from_address": "canary@example.invalid"}
"""No name below .invalid resolves (RFC 6761 section 6.4), and mails of an application with a sender of its own
never go out through that of the platform. So a canary sends no mail."""


def fill(wire: Wire, canary: Canary) -> None:
    """Makes everything twice: requests in the Dashboard may change what requests at the application's host name.
    Raises CommandError."""
    canary.own(wire, "PUT", "/api/mail-sender", json=SENDER)
    canary.own(wire, "PUT", "/api/settings", json=SETTINGS)
    for things in (canary.dashboard_things, canary.things):
        _Filling(wire, canary, things).fill()


class _Filling:
    def __init__(self, wire: Wire, canary: Canary, things: dict[str, str]) -> None:
        self.wire, self.canary, self.things = wire, canary, things
        self.password = secrets.token_urlsafe(18)
        self.bob = NONE

    def fill(self) -> None:
        self._rights()
        self._users()
        self._sessions()
        self._organization()
        self._client()
        self._tokens()
        self._rest()

    def _own(self, method: str, path: str, by: Credential | None = None, **more: Any) -> Any:
        return self.canary.own(self.wire, method, path, by, **more)

    def _post(self, noun: str, by: Credential | None = None, **fields: Any) -> Any:
        return self._own("POST", f"/api/{noun}", by, json=fields)

    def _rights(self) -> None:
        text, name = f"of {self.canary.word}", f"{word()}:feed"
        permission = self._post("permissions", name=name, description=text)
        role = self._post("roles", id=word(), name=word(), description=text, permissions=[name])
        org_role = self._post("organization-roles", id=word(), name=word(), description=text)
        uri = f"https://{word()}.example"
        resource = self._post("resources", identifier=uri, name=text)
        scope = self._post("scopes", name=word(), description=text)
        document = client_document(word())
        self._own("PUT", "/api/client-documents", json=document)
        initial_token = self._post("initial-access-tokens", name=text)
        self.things |= {
            "permission_id": permission["id"],
            "permission_name": name,
            "role_id": role["id"],
            "org_role_id": org_role["id"],
            "resource_id": resource["id"],
            "resource_uri": uri,
            "scope_id": scope["id"],
            "client_url": document["client_id"],
            "initial_token_id": initial_token["id"],
        }

    def _user(self) -> Any:
        fields = {
            "email": address(),
            "email_verified": True,
            "password": self.password,
            "profile": {"name": f"Somebody {self.canary.word}"},
            "public_metadata": {"word": self.canary.word},
        }
        return self._own("POST", "/api/users", json=fields)

    def _users(self) -> None:
        ada, bob, candidate, spare = (self._user() for _ in range(4))
        self._post(f"users/{ada['id']}/roles", role_id="admin")
        self._post(f"users/{bob['id']}/roles", role_id=self.things["role_id"])
        self.things |= {
            "own_id": ada["id"],
            "own_email": ada["email"],
            "user_id": bob["id"],
            "email": bob["email"],
            "candidate_id": candidate["id"],
            "spare_id": spare["id"],
            "password": self.password,
            "new_password": secrets.token_urlsafe(18),
            "candidate_email": candidate["email"],
            "browser": secrets.token_urlsafe(24),
        }

    def _sessions(self) -> None:
        """Signs Ada in twice, and the others once. Requests end Ada's second session, and the candidate's."""
        mine, password = self.things, self.password
        self.canary.user = self.canary.sign_in(self.wire, mine["own_email"], password)
        first = self._sessions_of(mine["own_id"])
        self.canary.sign_in(self.wire, mine["own_email"], password)
        more = [id for id in self._sessions_of(mine["own_id"]) if id not in first]
        self.bob = self.canary.sign_in(self.wire, mine["email"], password)
        self.canary.sign_in(self.wire, mine["candidate_email"], password)
        theirs = self._sessions_of(mine["candidate_id"])
        mine |= {"own_session_id": more[0], "session_id": theirs[0]}

    def _sessions_of(self, user_id: str) -> list[str]:
        page = self._own("GET", f"/api/users/{user_id}/sessions")
        return [each["id"] for each in page["sessions"]]

    def _organization(self) -> None:
        own = self.things["own_id"]
        org = self._post("organizations", name=f"House {self.canary.word}", admin_user_id=own)
        path = f"organizations/{org['id']}"
        self._post(f"{path}/members", user_id=self.things["user_id"])
        invited = self._post(f"{path}/invitations", email=address())
        domain = self._post(f"{path}/domains", domain=f"{word()}.example.org")
        self.things |= {
            "org_id": org["id"],
            "org_invitation_id": invited["id"],
            "org_domain_id": domain["id"],
        }

    def _client(self) -> None:
        client = self._post(
            "clients",
            name=f"Client {self.canary.word}",
            redirect_uris=[CALLBACK],
            first_party=True,
            grant_types=["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE],
            scopes=["openid", "profile", "email", "offline_access", "account"],
        )
        path = f"clients/{client['client_id']}"
        second = self._post(f"{path}/rotate-secret", overlap=86_400)
        secrets_of = self._own("GET", f"/api/{path}/secrets")["secrets"]
        pair = f"{client['client_id']}:{second['client_secret']}"
        self.canary.client = Credential(f"client of {self.canary.name}", basic=pair)
        policy = self._post(
            f"{path}/exchange-policies",
            subject_client=client["client_id"],
            resources=[self.things["resource_uri"]],
        )
        self.things |= {
            "client_id": client["client_id"],
            "exchange_policy_id": policy["id"],
            "secret_id": secrets_of[-1]["id"],
            "callback": CALLBACK,
        }

    def _tokens(self) -> None:
        """Signs Bob and Ada in at the client. The tokens are Ada's."""
        self._tokens_of(self.bob)
        tokens = self._tokens_of(self.canary.user)
        name = f"access token of {self.canary.name}"
        self.canary.token = Credential(name, bearer=tokens["access_token"])
        self.things |= {
            name: tokens[name] for name in ("access_token", "refresh_token", "id_token")
        }

    def _tokens_of(self, session: Credential) -> Any:
        """RFC 6749 section 4.1, RFC 7636."""
        query = {
            "client_id": self.things["client_id"],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile email offline_access account",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        parts = Parts("GET", "/oauth2/authorize", query=query)
        answer = self.wire.send(self.canary.origin, parts, session)
        code = parse_qs(urlsplit(answer.header("location")).query).get("code")
        if not code:
            raise CommandError(refusal(parts, answer))
        form = {
            "grant_type": "authorization_code",
            "code": code[0],
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return self._own("POST", "/oauth2/token", self.canary.client, form=form)

    def _rest(self) -> None:
        provider = self._post(
            "idps",
            preset="zoom",
            name=word(),
            client_id=self.canary.word,
            client_secret=word(),
            display_name=f"Club {self.canary.word}",
        )
        invited = self._post("users/invitations", email=address())
        batch = self._post("user-batches/import", users=[{"email": address()}], complete=False)
        for locale in ("en", "de"):
            template = {"subject": self.canary.word, "text": "{{ code }}", "html": "{{ code }}"}
            self._own("PUT", f"/api/mail-templates/reset/{locale}", json=template)
        keys = self._own("GET", "/oauth2/jwks.json")["keys"]
        waiting = self._post("auth/code", email=self.things["email"])
        browser = self.things["browser"]
        signing_up = self._post(
            "auth/signup", email=address(), password=self.password, browser=browser
        )
        self.things |= {
            "idp_id": provider["id"],
            "invitation_id": invited["id"],
            "batch_id": batch["id"],
            "kid": keys[0]["kid"],
            "code_flow": waiting["flow"],
            "sign_up_flow": signing_up["flow"],
            "audit_id": self._own("GET", "/api/audit", query={"limit": "1"})["audit_logs"][0]["id"],
            "link_id": new_id(),
            "link_token": secrets.token_urlsafe(32),
            "passkey_id": secrets.token_urlsafe(32),
            "device_id": new_id(),
            "device_sign_in_id": new_id(),
            "domain_id": new_id(),
            "recovery_code": secrets.token_urlsafe(16),
            "second_recovery_code": secrets.token_urlsafe(16),
            "totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        }
