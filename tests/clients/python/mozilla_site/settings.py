"""mozilla-django-oidc. Callback: /oidc/callback/"""

from __future__ import annotations

import os

from django_defaults import *  # noqa: F403

ISSUER = os.environ["ISSUER"]

ROOT_URLCONF = "mozilla_site.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "mozilla_django_oidc"]  # noqa: F405
AUTHENTICATION_BACKENDS = ["mozilla_site.urls.Backend"]
OIDC_RP_CLIENT_ID = os.environ["CLIENT_ID"]
OIDC_RP_CLIENT_SECRET = os.environ["CLIENT_SECRET"]
OIDC_RP_SCOPES = "openid email profile"
OIDC_RP_SIGN_ALGO = "RS256"  # the library's default is HS256
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{ISSUER}/oauth2/authorize"
OIDC_OP_TOKEN_ENDPOINT = f"{ISSUER}/oauth2/token"
OIDC_OP_USER_ENDPOINT = f"{ISSUER}/oauth2/userinfo"
OIDC_OP_JWKS_ENDPOINT = f"{ISSUER}/oauth2/jwks.json"
OIDC_STORE_ID_TOKEN = True
OIDC_OP_LOGOUT_URL_METHOD = "mozilla_site.urls.end_session"
ALLOW_LOGOUT_GET_METHOD = True
