"""The pages of the site."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class Backend(OIDCAuthenticationBackend):
    """Keeps all claims: the library alone only keeps the email address."""

    def get_or_create_user(self, access_token: str, id_token: str, payload: Any) -> Any:
        user = super().get_or_create_user(access_token, id_token, payload)
        self.request.session["claims"] = self.get_userinfo(access_token, id_token, payload)
        return user


def end_session(request: HttpRequest) -> str:
    hint = request.session["oidc_id_token"]
    query = {"id_token_hint": hint, "post_logout_redirect_uri": os.environ["ORIGIN"] + "/"}
    return f"{os.environ['ISSUER']}/oauth2/logout?{urlencode(query)}"


def me(request: HttpRequest) -> JsonResponse:
    if not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    claims = request.session["claims"]
    return JsonResponse({"sub": claims["sub"], "email": request.user.email, "name": claims["name"]})


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls")), path("me", me), path("", home)]
