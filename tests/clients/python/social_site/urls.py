"""The pages of the site."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import include, path


def login(request: HttpRequest) -> HttpResponse:
    token = get_token(request)
    return HttpResponse(
        '<form method="post" action="/login/oidc/">'
        f'<input type="hidden" name="csrfmiddlewaretoken" value="{token}"></form>'
    )


def me(request: HttpRequest) -> JsonResponse:
    if not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    user = request.user
    shown = {"sub": user.social_auth.get().uid, "email": user.email, "name": user.get_full_name()}
    return JsonResponse(shown)


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


urlpatterns = [
    path("", include("social_django.urls", namespace="social")),
    path("login", login),
    path("me", me),
    path("", home),
]
