"""What the contracts about ways in name: sign-ins that wait, connected accounts, proofs and actors.

They are made last, because a change of a user's factors ends the sign-ins that wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tests.isolation.passkeys import BOBS_SIGN_IN
from tests.kit.authenticator import Authenticator
from tests.kit.second_factors import AuthenticatorApp

from common import crypto
from common.context import SYSTEM_CALLER
from common.contracts.assignments import AssignDefaultRole, AssignRole
from common.contracts.link_proofs import SendLinkProofCode
from common.contracts.passkey_sign_in import StartPasskeySignUp
from common.contracts.passwords import SignInWithPassword
from common.contracts.second_factors import SetUpTotp, SetUpTotpAtSignIn
from common.ids import DASHBOARD, new_id
from common.testing import context
from identity.queries import codes

if TYPE_CHECKING:
    from tests.isolation.sides import Side, Sides

    from common.context import Caller

LINKS: Final = """INSERT INTO user_identity_links
    (app_id, id, user_id, idp_id, idp_user_id, idp_username, access_token_sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"""


async def add_ways_in(sides: Sides, side: Side, key: Caller, password: str, browser: str) -> None:
    """Stores what these contracts name. `key` is a secret key of the side."""
    await sides.ask(side, key, AssignRole(user_id=side.ada.id or "", role_id="admin"))
    await _links(sides, side)
    await _impersonation_link(sides, side)
    address = f"proven-{side.word}@example.com"
    proof = side.things["SendLinkProofCode.link_proof"]
    send = SendLinkProofCode(link_proof=proof, email=address, browser=browser)
    flow = (await sides.ask(side, None, send)).flow
    code = (await sides.mails(side))[0].data["code"]
    start = StartPasskeySignUp(email=f"sign-up-{side.word}@example.com", browser=browser)
    sign_up = (await sides.ask(side, None, start)).options
    session = await sides.world.session(side.ada.id or "", app_id=side.app_id)
    side.things |= {
        "FinishLinkProof.flow": flow,
        "FinishLinkProof.code": code,
        "SignUpWithPasskey.credential": Authenticator(side.origin).create(sign_up),
        "RevokeSession.session_id": session.session_id,
    }
    await _sign_ins(sides, side, password)


async def _sign_ins(sides: Sides, side: Side, password: str) -> None:
    """Starts sign-ins of Ada that wait for her second factor, and enrolments of both users."""
    sign_in = SignInWithPassword(email="ada@example.com", password=password)
    halves = [(await sides.ask(side, None, sign_in)).token for _ in range(3)]
    enrolling = side.things[BOBS_SIGN_IN]
    bobs = await sides.ask(side, None, SetUpTotpAtSignIn(token=enrolling))
    adas = await sides.ask(side, side.ada, SetUpTotp())
    side.things |= {
        "GetSecondFactorChallenge.token": halves[0],
        "CancelSignIn.token": halves[1],
        "CompleteSignIn.token": halves[2],
        "SetUpTotpAtSignIn.token": enrolling,
        "ConfirmTotpAtSignIn.token": enrolling,
        "ConfirmTotpAtSignIn.code": _code(bobs.secret),
        "ConfirmTotp.code": _code(adas.secret),
    }


def _code(secret: str) -> Callable[[], str]:
    """Returns what computes the code when it is sent: it changes every 30 seconds."""
    return lambda: AuthenticatorApp(secret).code()


async def _links(sides: Sides, side: Side) -> None:
    """Inserts a connected account of Ada, and one of Bob with a token of the provider."""
    idp_id = await sides.owner.fetchval(
        "SELECT id FROM identity_providers WHERE app_id = $1 AND name = $2",
        side.app_id,
        f"idp-{side.word}",
    )
    await sides.owner.execute(
        "UPDATE identity_providers SET options = options || '{\"store_tokens\": true}'"
        " WHERE app_id = $1 AND id = $2",
        side.app_id,
        idp_id,
    )
    adas, bobs = new_id(), new_id()
    deps = sides.world.identity
    async with deps.db.transaction(sides.ctx(side)) as tx:
        place = ("user_identity_links", "access_token", bobs)
        token = f"access of {side.word}".encode()
        sealed = await deps.sealer.seal(tx, side.app_id, place, token)
    bob = side.things["user_id"]
    for id, user, subject, access in ((adas, side.ada.id, "ada", None), (bobs, bob, "b2", sealed)):
        await sides.owner.execute(
            LINKS, side.app_id, id, user, idp_id, subject, f"{subject} at {side.word}", access
        )
    side.things |= {"UnlinkMyIdentity.link_id": adas, "GetProviderToken.link_id": bobs}


async def _impersonation_link(sides: Sides, side: Side) -> None:
    """Stores the link with which the application's developer would act as a user."""
    deps, token = sides.world.identity, crypto.token("imp_")
    developer = side.developer.id or ""
    system = context(DASHBOARD, SYSTEM_CALLER, within=20)
    await sides.bus.call(system, AssignDefaultRole(user_id=developer))
    own = await sides.world.session(developer, app_id=DASHBOARD)
    async with deps.db.transaction(sides.ctx(side)) as tx:
        await codes.insert(
            tx,
            app_id=side.app_id,
            id=new_id(),
            email="impersonation",
            user_id=side.things["user_id"],
            type="impersonation",
            code_hash=None,
            link_hash=deps.keys.hash("link", token),
            browser_hash=None,
            payload={
                "actor_id": developer,
                "actor_session": own.session_id,
                "reason": side.word,
                "minutes": 15,
            },
            ttl=600,
        )
    side.things["RedeemImpersonation.token"] = token
