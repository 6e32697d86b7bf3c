"""The workloads by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.deployment import Deployment
from bench.ways_in import passkey_sign_in, provider_sign_in
from bench.workloads import (
    DemoApplication,
    Workload,
    account_page,
    client_credentials,
    code_flows,
    document,
    full_login,
    introspection,
    password,
    pushed_flows,
    refresh,
    session,
    userinfo,
)

WORKLOADS: dict[str, Callable[[DemoApplication], Workload]] = {
    "W1-userinfo": userinfo,
    "W1-session": session,
    "W1-introspection": introspection,
    "W2-es256": partial(client_credentials, "ES256"),
    "W2-rs256": partial(client_credentials, "RS256"),
    "W3": refresh,
    "W4": password,
    "W5-discovery": partial(document, "W5-discovery", "/.well-known/openid-configuration"),
    "W5-jwks": partial(document, "W5-jwks", "/oauth2/jwks.json"),
    "W6-code-flow": code_flows,
    "W6-full-login": full_login,
    "W7": provider_sign_in,
    "W8": passkey_sign_in,
    "W10": pushed_flows,
    "page-sign-in": partial(document, "page-sign-in", "/login"),
    "page-account": account_page,
}


def prepare(deployment: Deployment, names: list[str]) -> dict[str, Workload]:
    """Returns the workloads whose names begin with one of `names`."""
    demo = DemoApplication(deployment)
    return {
        key: make(demo)
        for key, make in WORKLOADS.items()
        if any(key.startswith(name) for name in names)
    }
