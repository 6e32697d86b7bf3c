"""The end of a sign-in with a provider: a session, a proof that is missing, or one clear sentence."""

from __future__ import annotations

from typing import Final, Literal

from common.contracts.provider_sign_in import Failure, ProviderOutcome
from common.contracts.tenants import Tenant
from common.message_ids import N_
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, redirect
from gateway.pages import default_destination, link_proof_cookie, provider_buttons
from gateway.pages.fields import Fields, at, local
from gateway.pages.render import PageView
from gateway.pages.sign_in import signed_in
from gateway.state import Gateway

Next = Literal["sign_in", "again", "other", "confirm", "onward"]
"""The link of a failure: to the sign-in page; to the provider; to the provider, which asks for another of
its accounts; to the other ways to confirm; or to where the user was going."""
CONNECT: Final = "/login/connect"

FAILURES: Final[dict[Failure, tuple[int, str, str, Next]]] = {
    "over": (
        410,
        N_("This sign-in has ended"),
        N_("It was already finished or took too long. Start again."),
        "sign_in",
    ),
    "other_browser": (
        403,
        N_("This is a different browser"),
        N_("The sign-in was started in a different browser. Start again here."),
        "sign_in",
    ),
    "cancelled": (
        403,
        N_("You cancelled the sign-in"),
        N_("You didn't allow %(provider)s to sign you in. Try again, or sign in another way."),
        "sign_in",
    ),
    "provider_failed": (
        502,
        N_("The sign-in didn't work"),
        N_("%(provider)s couldn't sign you in. Try again in a moment, or sign in another way."),
        "sign_in",
    ),
    "provider_off": (
        404,
        N_("You can't sign in this way"),
        N_("This sign-in provider isn't available here. Sign in another way."),
        "sign_in",
    ),
    "not_fresh": (
        403,
        N_("We couldn't confirm that it's you"),
        N_("%(provider)s didn't ask you to sign in again. Confirm in another way."),
        "confirm",
    ),
    "other_account": (
        409,
        N_("This is a different account"),
        N_(
            "You switched accounts, or used another account at %(provider)s. Nothing was changed. "
            "Go back and try again."
        ),
        "onward",
    ),
    "link_taken": (
        409,
        N_("This account is already connected"),
        N_(
            "Another user has connected this account at %(provider)s. Nothing was changed. Go back and "
            "use a different account."
        ),
        "onward",
    ),
    "account_exists": (
        409,
        N_("You already have an account"),
        N_(
            "An account with your e-mail address exists. Sign in to it another way. You can then connect "
            "%(provider)s on the page of your account."
        ),
        "sign_in",
    ),
    "account_disabled": (
        403,
        N_("This account is disabled"),
        N_("Contact support if you think this is a mistake."),
        "sign_in",
    ),
    "email_unverified": (
        403,
        N_("Confirm your e-mail address"),
        N_("Sign in with a code first to confirm your e-mail address."),
        "sign_in",
    ),
    "email_refused": (
        422,
        N_("You can't use this e-mail address here"),
        N_("Use an account at %(provider)s with a different e-mail address."),
        "other",
    ),
    "sign_up_closed": (
        403,
        N_("New accounts are by invitation only"),
        N_("You need an invitation to create an account here. Ask the people who run this site."),
        "other",
    ),
    "other_invitation": (
        403,
        N_("A different address"),
        N_(
            "This invitation was sent to a different address than that of your account at %(provider)s. "
            "Open the invitation again to accept it another way."
        ),
        "sign_in",
    ),
    "sso_required": (
        403,
        N_("Your organization has its own sign-in"),
        N_("Sign in with %(provider)s to continue."),
        "again",
    ),
}
"""By failure: status, heading, sentence and link."""
BUTTONS: Final[dict[Next, str]] = {
    "sign_in": N_("Sign in"),
    "again": N_("Continue with %(provider)s"),
    "other": N_("Use another account"),
    "confirm": N_("Confirm in another way"),
    "onward": N_("Go back"),
}


async def answer(
    gateway: Gateway, request: GatewayRequest, page: PageView, outcome: ProviderOutcome
) -> GatewayResponse:
    """Returns what the browser gets for an outcome."""
    if outcome.kind == "failed":
        return failed(page, outcome)
    if outcome.link_proof is not None:
        link_proof_cookie.write(request, outcome.link_proof)
        return redirect(CONNECT)
    link_proof_cookie.forget(request)
    if outcome.idp:
        provider_buttons.remember_last_used(request, outcome.idp)
    if outcome.session is None:
        return redirect(local(outcome.destination, default_destination.of(request.app)))
    fields = Fields(return_to=outcome.destination)
    return await signed_in(gateway, request, fields, outcome.session)


def failed(page: PageView, outcome: ProviderOutcome) -> GatewayResponse:
    """Returns the page that says why a sign-in ended, and what to do."""
    assert outcome.failure is not None
    status, heading, says, next_step = FAILURES[outcome.failure]
    provider = outcome.provider or page.translate("The provider")
    if next_step in ("again", "other") and outcome.idp is None:
        next_step = "sign_in"
    return page.close(
        page.translate(heading),
        page.translate(says, provider=provider),
        status,
        link=_link(page.app, next_step, outcome),
        button=page.translate(BUTTONS[next_step], provider=provider),
        primary=True,
        address="/login",
    )


def _link(app: Tenant, next_step: Next, outcome: ProviderOutcome) -> str:
    going = local(outcome.destination, default_destination.of(app))
    links: dict[Next, str] = {
        "sign_in": at("/login", return_to=going),
        "again": at(provider_buttons.START, idp=outcome.idp, return_to=going),
        "other": at(provider_buttons.START, idp=outcome.idp, return_to=going, select="1"),
        "confirm": at("/login/confirm", return_to=going),
        "onward": going,
    }
    return links[next_step]
