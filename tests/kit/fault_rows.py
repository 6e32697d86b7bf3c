"""The faults that the product must survive, and what must hold in each of them."""

from __future__ import annotations

from typing import Final

ROWS: Final = {
    "F1": (
        "A gateway is killed under load, alone and as one of two at an address",
        "Only requests under way fail. Of two, the other one serves at once; of one, its port answers again.",
    ),
    "F2": (
        "Identity is killed after its commit, before its answer",
        "A repeated sign-up makes no second user; a session is valid or does not exist.",
    ),
    "F3": (
        "oidc is killed between the use of a code and its answer",
        "The code is used up. No token of it is alive that nobody was given.",
    ),
    "F4": ("rbac is killed", "Rights are refused with 503, and never granted."),
    "F5": (
        "Tenancy is killed",
        "Known hosts are served. Unknown ones get 503. A disabled application stays disabled.",
    ),
    "F6": (
        "The relay of audit events is killed, again and again",
        "Each event is on the stream once.",
    ),
    "F7": (
        "A single NATS server is restarted, and killed",
        "Requests get 503. No process ends. Sign-ins work again by themselves.",
    ),
    "F8": (
        "The leader of the stream is killed, of three servers",
        "Sign-ins go on. Each event is on the stream once.",
    ),
    "F9": (
        "One of three NATS servers is cut off; services are cut off from NATS, in one or both directions",
        "The minority acknowledges nothing. Clients move to another server. The stream has one history.",
    ),
    "F10": (
        "The machine of NATS loses power, with all that was not synced",
        "With `sync_interval: always`, nothing that was acknowledged is lost.",
    ),
    "F11": (
        "PostgreSQL is restarted: fast, immediate, and by SIGKILL",
        "Pools reconnect. No acknowledged write is lost.",
    ),
    "F12": (
        "The primary of PostgreSQL fails, or stands still and comes back",
        "No acknowledged code, refresh or revocation is lost. The old primary takes no write.",
    ),
    "F13": (
        "A standby that lags is promoted",
        "It can revive rotated tokens. The epoch that the operator then sets ends all of them.",
    ),
    "F14": (
        "PostgreSQL is slow by 500 ms and by 5 s, and its table of users is locked",
        "Requests end in time, with 503 or 504. Keys and discovery come from memory.",
    ),
    "F15": (
        "PostgreSQL has no connection left",
        "503 at once, no deadlock, and recovery by itself.",
    ),
    "F16": (
        "The disk of the stream is full",
        "Sign-ins go on, events wait, health says so. With space again, all events arrive once.",
    ),
    "F17": (
        "The disk of PostgreSQL is full",
        "Writes get 503. With space again, everything acknowledged is there.",
    ),
    "F18": (
        "Clocks of processes differ by 90 s and by 10 min, and jump back",
        "90 s: everything works. 10 min: refused, and no credential lives longer than it may.",
    ),
    "F19": ("Messages are delivered twice", "One record, one mail, one webhook for each event."),
    "F20": (
        "Messages that nobody can read",
        "Others flow. The message does not come again and again.",
    ),
    "F21": (
        "Signing keys rotate under load",
        "No client fails to verify a token.",
    ),
    "F22": (
        "The master key rotates under load, and the old one is removed too early",
        "Everything opens with either key. The removal is a loud failure, and loses nothing.",
    ),
    "F23": (
        "Services of two versions run side by side, forth and back",
        "No request fails. Unknown fields are ignored.",
    ),
    "F24": (
        "A migration waits for a lock under load",
        "It gives up, lets requests pass, and tries again.",
    ),
    "F25": (
        "Thousands sign in at once",
        "Hashing stays bounded: 429 or 503. Sessions and refreshes go past the queue.",
    ),
    "F26": (
        "One refresh token is sent many times at once, to two replicas",
        "One rotation. All get the same successor. Nobody is signed out.",
    ),
    "F27": ("Codes, links and invitations are sent twice at once", "Exactly one succeeds."),
    "F28": (
        "Revocation, sign-out, disabling and a new password race a refresh",
        "After the answer, no token of the grant works.",
    ),
    "F29": (
        "An identity provider hangs, fails, sends 100 MB, redirects inwards, changes its keys",
        "Time and bytes are bounded. Other applications do not notice.",
    ),
    "F30": (
        "The receiver of back-channel logouts is down or slow",
        "Bounded retries. No sign-out waits for it.",
    ),
    "F31": (
        "Everything restarts, and old credentials are tried",
        "What was used, rotated or revoked stays dead.",
    ),
    "F32": (
        "Yesterday's backup is restored",
        "Tokens, codes and sessions of the backup are dead.",
    ),
    "F33": (
        "Slow clients, 100,000 headers, cookies of 1 MB, smuggled requests",
        "Limits hold. Others are served.",
    ),
    "F34": ("One application sends ten times its share", "The others are served in their turn."),
}
"""The fault and the promise of each row of docs/reliability.md."""
