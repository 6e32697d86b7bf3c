"""Fake answers about passkeys, for tests of the hosted pages. The ceremonies are verified as identity
verifies them, and passkeys are kept in memory."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.kit.authenticator import b64

from common.context import Context
from common.contracts.base import Done
from common.contracts.passkey_sign_in import (
    ConfirmWithPasskey,
    ShowPasskeySecondFactor,
    SignInWithPasskey,
    SignUpWithPasskey,
    StartPasskeyConfirmation,
    StartPasskeySecondFactor,
    StartPasskeySignIn,
    StartPasskeySignUp,
)
from common.contracts.passkeys import (
    AddedPasskey,
    AddPasskey,
    ListMyPasskeys,
    NotePasskeyOffer,
    Passkey,
    PasskeyChallengeSpent,
    PasskeyNotFound,
    PasskeyOptions,
    PasskeyRefused,
    Passkeys,
    PasskeyUnknown,
    RemovePasskey,
    RenamePasskey,
    StartPasskey,
)
from common.contracts.second_factors import CompletedSignIn
from common.contracts.sessions import FreshSignInNeeded, SignedInSession
from common.ids import new_id
from identity.webauthn_answers import BrowserAnswer, read_answer
from identity.webauthn_ceremonies import (
    RefusedCeremony,
    VerifiedPasskey,
    verify_assertion,
    verify_registration,
)
from identity.webauthn_options import creation_options, request_options

if TYPE_CHECKING:
    from tests.kit.people import People

EMAIL = "ada@example.com"
CODES = [f"9x2k-7dqm-x2wn-{number}abc-defg-hjkm" for number in range(10)]


@dataclass
class PasskeyState:
    """The passkeys that exist, and the challenges that were not used."""

    handle: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    challenges: set[str] = field(default_factory=set)
    keys: dict[str, VerifiedPasskey] = field(default_factory=dict)
    entries: list[Passkey] = field(default_factory=list)
    refuse_next: bool = False
    """Refuses the next answer, whatever it is."""
    offers: int = 0

    def challenge(self) -> str:
        challenge = b64(secrets.token_bytes(32))
        self.challenges.add(challenge)
        return challenge

    def consume(self, answer: BrowserAnswer) -> None:
        if answer.challenge not in self.challenges:
            raise PasskeyChallengeSpent
        self.challenges.remove(answer.challenge)
        if self.refuse_next:
            self.refuse_next = False
            raise PasskeyRefused


def _host(ctx: Context) -> str:
    return urlsplit(ctx.origin).hostname or ""


async def sign_in_options(people: People, ctx: Context, request: Any) -> PasskeyOptions:
    options = request_options(rp_id=_host(ctx), challenge=people.passkeys.challenge())
    return PasskeyOptions(options=options)


async def sign_in(people: People, ctx: Context, request: Any) -> SignedInSession:
    state, answer = (
        people.passkeys,
        read_answer(request.credential, "authenticatorData", "signature"),
    )
    state.consume(answer)
    key = state.keys.get(b64(answer.credential_id))
    if key is None:
        raise PasskeyUnknown
    try:
        verify_assertion(
            answer,
            rp_id=_host(ctx),
            origin=ctx.origin,
            public_key=key.public_key,
            user_handle=state.handle,
        )
    except RefusedCeremony:
        raise PasskeyRefused from None
    people.fresh = True
    return people.begin(ctx)


async def second_factor(
    people: People, ctx: Context, request: ShowPasskeySecondFactor
) -> CompletedSignIn:
    people.challenge = None
    device = "p" * 43 if request.remember_device else None
    return CompletedSignIn(signed_in=await sign_in(people, ctx, request), device=device)


async def options(people: People, ctx: Context, request: Any) -> PasskeyOptions:
    if not people.fresh:
        raise FreshSignInNeeded
    state, email = people.passkeys, getattr(request, "email", EMAIL)
    return PasskeyOptions(
        options=creation_options(
            rp_id=_host(ctx),
            rp_name="Acme",
            challenge=state.challenge(),
            user_handle=state.handle,
            name=email,
            display_name="Ada Lovelace",
            excluded=[key.credential_id for key in state.keys.values()],
        )
    )


async def add(people: People, ctx: Context, request: Any) -> AddedPasskey:
    state, answer = people.passkeys, read_answer(request.credential, "attestationObject")
    state.consume(answer)
    verified = verify_registration(answer, rp_id=_host(ctx), origin=ctx.origin)
    entry = Passkey(
        id=new_id(),
        name="Passkey",
        authenticator="Passkey",
        credential_id=b64(verified.credential_id),
        rp_id=_host(ctx),
        backed_up=verified.backed_up,
        created_at=datetime.now(UTC),
    )
    codes = [] if state.entries else CODES
    state.keys[entry.credential_id] = verified
    state.entries.insert(0, entry)
    return AddedPasskey(passkey=entry, recovery_codes=codes)


async def sign_up(people: People, ctx: Context, request: Any) -> AddedPasskey:
    added = await add(people, ctx, request)
    return added.model_copy(update={"session": people.begin(ctx)})


async def list_(people: People, ctx: Context, request: Any) -> Passkeys:
    state = people.passkeys
    return Passkeys(
        passkeys=state.entries,
        user_handle=b64(state.handle),
        user_name=EMAIL,
        display_name="Ada Lovelace",
        rp_id=_host(ctx),
    )


async def rename(people: People, ctx: Context, request: RenamePasskey) -> Passkey:
    state = people.passkeys
    for place, entry in enumerate(state.entries):
        if entry.id == request.passkey_id:
            state.entries[place] = entry.model_copy(update={"name": request.name})
            return state.entries[place]
    raise PasskeyNotFound


async def remove(people: People, ctx: Context, request: RemovePasskey) -> Done:
    state = people.passkeys
    gone = [one for one in state.entries if one.id == request.passkey_id]
    if not gone:
        raise PasskeyNotFound
    state.entries.remove(gone[0])
    del state.keys[gone[0].credential_id]
    return Done()


async def note_offer(people: People, ctx: Context, request: Any) -> Done:
    people.passkeys.offers += 1
    return Done()


HANDLERS: Any = {
    StartPasskeySignIn: sign_in_options,
    SignInWithPasskey: sign_in,
    StartPasskeyConfirmation: sign_in_options,
    StartPasskeySecondFactor: sign_in_options,
    ShowPasskeySecondFactor: second_factor,
    ConfirmWithPasskey: sign_in,
    StartPasskey: options,
    AddPasskey: add,
    StartPasskeySignUp: options,
    SignUpWithPasskey: sign_up,
    ListMyPasskeys: list_,
    RenamePasskey: rename,
    RemovePasskey: remove,
    NotePasskeyOffer: note_offer,
}
