"""social-auth-app-django with its OpenID Connect backend. Callback: /complete/oidc/"""

from __future__ import annotations

import os

from django_defaults import *  # noqa: F403

ROOT_URLCONF = "social_site.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "social_django"]  # noqa: F405
AUTHENTICATION_BACKENDS = ["social_core.backends.open_id_connect.OpenIdConnectAuth"]
SOCIAL_AUTH_OIDC_OIDC_ENDPOINT = os.environ["ISSUER"]
SOCIAL_AUTH_OIDC_KEY = os.environ["CLIENT_ID"]
SOCIAL_AUTH_OIDC_SECRET = os.environ["CLIENT_SECRET"]
