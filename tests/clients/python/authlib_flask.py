"""Authlib in Flask. Callback: /callback"""

from __future__ import annotations

import os
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session

ISSUER, ORIGIN = os.environ["ISSUER"], os.environ["ORIGIN"]

app = Flask(__name__)
app.secret_key = "a secret of this test program"
oauth = OAuth(app)
oauth.register(
    "aero2",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email"},
)


@app.get("/login")
def login() -> Any:
    return oauth.aero2.authorize_redirect(f"{ORIGIN}/callback")


@app.get("/callback")
def callback() -> Any:
    tokens = oauth.aero2.authorize_access_token()
    session["user"], session["id_token"] = tokens["userinfo"], tokens["id_token"]
    return redirect("/")


@app.get("/me")
def me() -> Any:
    user = session.get("user")
    return {name: user.get(name) for name in ("sub", "email", "name")} if user else ({}, 401)


@app.get("/logout")
def logout() -> Any:
    hint = session.pop("id_token", None)
    session.pop("user", None)
    return oauth.aero2.logout_redirect(post_logout_redirect_uri=f"{ORIGIN}/", id_token_hint=hint)


@app.get("/")
def home() -> str:
    return "home"


app.run("127.0.0.1", int(os.environ["PORT"]))
