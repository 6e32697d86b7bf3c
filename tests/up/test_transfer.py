"""An application goes from one `aero2 up` to another, under load, and nobody is signed out."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from tests.kit.form_browser import browser, sign_in
from tests.kit.instance import Instance, environment

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PASSWORD = "six unusual otters juggle"
ADDRESS = "ada@example.com"
VERIFIER = "v" * 43
CALLBACK = "http://localhost:8000/callback"
SCOPE = "openid offline_access"


def aero2(folder: Path, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aero2", *arguments, "--data-dir", str(folder)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


class Shop:
    """An application with a user and a client, as its developers see it."""

    def __init__(self, instance: Instance) -> None:
        made = json.loads(aero2(instance.folder, "apps", "create", "Shop", "--slug", "shop").stdout)
        self.url: str = made["url"]
        self.key = next(each["key"] for each in made["api_keys"] if each["key_type"] == "secret")
        self.client: dict[str, Any] = {}
        user = {"email": ADDRESS, "email_verified": True, "password": PASSWORD}
        self.post("users", user)
        self.client = self.post(
            "clients",
            {
                "name": "Shop",
                "redirect_uris": [CALLBACK],
                "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                "scopes": ["openid", "offline_access"],
            },
        )

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def post(self, noun: str, content: dict[str, Any]) -> dict[str, Any]:
        with browser() as client:
            answer = client.post(f"{self.url}/api/{noun}", json=content, headers=self.bearer)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def token(self, client: httpx.Client, **form: str) -> httpx.Response:
        auth = (self.client["client_id"], self.client["client_secret"])
        return client.post(f"{self.url}/oauth2/token", data=form, auth=auth)

    def tokens(self, client: httpx.Client) -> dict[str, Any]:
        """Returns the tokens of the user who is signed in in the browser."""
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        asked = {
            "client_id": self.client["client_id"],
            "response_type": "code",
            "scope": SCOPE,
            "redirect_uri": CALLBACK,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "nonce": "n",
        }
        client.follow_redirects = False
        answer = client.get(f"{self.url}/oauth2/authorize", params=asked)
        while answer.status_code != 303 or not answer.headers["location"].startswith(CALLBACK):
            assert answer.is_redirect, answer.text
            answer = client.get(answer.url.join(answer.headers["location"]))
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        form = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        granted = self.token(client, grant_type="authorization_code", **form)
        assert granted.status_code == 200, granted.text
        result: dict[str, Any] = granted.json()
        return result

    def subject_of(self, client: httpx.Client, id_token: str) -> str:
        """Returns the subject of an ID token, which the keys of now verify."""
        document = client.get(f"{self.url}/.well-known/openid-configuration").json()
        keys = jwt.PyJWKSet.from_dict(client.get(document["jwks_uri"]).json())
        key = keys[jwt.get_unverified_header(id_token)["kid"]]
        claims = jwt.decode(
            id_token, key, ["RS256"], audience=self.client["client_id"], issuer=self.url
        )
        return str(claims["sub"])


class Refreshing(threading.Thread):
    """A client that refreshes all the time, and keeps the last token that it was given."""

    def __init__(self, shop: Shop, token: str) -> None:
        super().__init__()
        self.shop, self.token_now, self.statuses = shop, token, list[int]()
        self.ends = threading.Event()

    def run(self) -> None:
        with browser() as client:
            while not self.ends.is_set():
                form = {"grant_type": "refresh_token", "refresh_token": self.token_now}
                answer = self.shop.token(client, **form)
                self.statuses.append(answer.status_code)
                if answer.status_code == 200:
                    self.token_now = answer.json()["refresh_token"]
                else:
                    self.ends.wait(0.1)


@contextmanager
def refreshing(shop: Shop, token: str) -> Iterator[Refreshing]:
    thread = Refreshing(shop, token)
    thread.start()
    try:
        yield thread
    finally:
        thread.ends.set()
        thread.join()


def test_nobody_is_signed_out(tmp_path: Path) -> None:
    """A browser and a client go on at the target with the session and the token that they have: the client
    refreshes until the source is closed, and no answer that it got is lost. Passwords, API keys, client
    secrets, old ID tokens and the audit log stay good. The source refuses, and its other applications work."""
    source = Instance(tmp_path / "source" / ".aero2")
    target = Instance(tmp_path / "target" / ".aero2")
    for each in (source, target):
        each.folder.parent.mkdir()
    file = str(tmp_path / "shop.aero2")
    try:
        target.start().ready()
        target.stop()
        demo = source.start().ready()["demo"]
        shop = Shop(source)
        key = aero2(target.folder, "apps", "transfer-key").stdout.strip()
        with browser() as client:
            sign_in(client, shop.url, ADDRESS, PASSWORD)
            given = shop.tokens(client)
            subject = shop.subject_of(client, given["id_token"])
            with refreshing(shop, given["refresh_token"]) as load:
                while len(load.statuses) < 20:
                    load.ends.wait(0.05)
                aero2(source.folder, "apps", "export", "shop", file, "--to", key, "--final")
                while load.statuses[-1] != 503:
                    load.ends.wait(0.05)
            assert set(load.statuses) == {200, 503}
            assert load.statuses.index(503) >= 20
            assert client.get(f"{demo['url']}/api/auth/session").status_code == 401
            cookies = dict(client.cookies)
        source.stop()
        done = aero2(target.folder, "apps", "import", file)
        assert "shop is open" in done.stderr
        target.port = source.port
        target.start().ready()
        with browser() as client:
            client.cookies.update(cookies)
            session = client.get(f"{shop.url}/api/auth/session")
            assert session.status_code == 200, session.text
            form = {"grant_type": "refresh_token", "refresh_token": load.token_now}
            answer = shop.token(client, **form)
            assert answer.status_code == 200, answer.text
            again = shop.tokens(client)  # by the same session, without a password
            assert shop.subject_of(client, again["id_token"]) == subject
            assert shop.subject_of(client, given["id_token"]) == subject
            users = client.get(f"{shop.url}/api/users", headers=shop.bearer)
            assert [each["email"] for each in users.json()["users"]] == [ADDRESS]
            client.cookies.clear()
            sign_in(client, shop.url, ADDRESS, PASSWORD)
            assert client.get(f"{shop.url}/api/auth/session").status_code == 200
            _the_log_is_whole(client, shop, tmp_path)
    finally:
        for each in (source, target):
            if each.process is not None:
                each.stop()


def _the_log_is_whole(client: httpx.Client, shop: Shop, folder: Path) -> None:
    export = client.get(f"{shop.url}/api/audit/export", headers=shop.bearer)
    heads = client.get(f"{shop.url}/api/audit/checkpoints", headers=shop.bearer)
    assert len({each["kid"] for each in heads.json()["checkpoints"]}) >= 1
    log, checkpoints = folder / "audit.ndjson", folder / "checkpoints.json"
    log.write_bytes(export.content)
    checkpoints.write_bytes(heads.content)
    command = [sys.executable, "-m", "aero2", "audit", "verify", str(log)]
    command += ["--checkpoints", str(checkpoints)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
