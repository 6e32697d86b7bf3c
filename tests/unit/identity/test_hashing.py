"""Password hashes of the product and of other systems."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import argon2
import bcrypt
import pytest

from common.hash_pool import FairPool
from identity import hash_verifiers, imported_hashes, jobs
from identity.hashing import Hashing, normalized

PASSWORD = "correct horse – bâtterie"
RAW = PASSWORD.encode()
SALT = b"0123456789abcdef"


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _ab64(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=").replace("+", ".")


def _pbkdf2(name: str, salt: bytes, rounds: int = 1000) -> bytes:
    return hashlib.pbkdf2_hmac(name, RAW, salt, rounds)


def _scrypt(salt: bytes, size: int = 64) -> bytes:
    return hashlib.scrypt(RAW, salt=salt, n=1024, r=8, p=1, dklen=size)


MADE = {
    "bcrypt 2b": bcrypt.hashpw(RAW, bcrypt.gensalt(4)).decode(),
    "bcrypt 2y": "$2y" + bcrypt.hashpw(RAW, bcrypt.gensalt(4)).decode()[3:],
    "phc pbkdf2": f"$pbkdf2-sha256$i=1000,l=32${_ab64(SALT)}${_ab64(_pbkdf2('sha256', SALT))}",
    "passlib pbkdf2": f"$pbkdf2-sha512$1000${_ab64(SALT)}${_ab64(_pbkdf2('sha512', SALT))}",
    "passlib pbkdf2 sha1": f"$pbkdf2$1000${_ab64(SALT)}${_ab64(_pbkdf2('sha1', SALT))}",
    "django pbkdf2": f"pbkdf2_sha256$1000$salty${_b64(_pbkdf2('sha256', b'salty'))}",
    "werkzeug pbkdf2": f"pbkdf2:sha256:1000$salty${_pbkdf2('sha256', b'salty').hex()}",
    "ldap pbkdf2": f"{{PBKDF2-SHA256}}1000${_ab64(SALT)}${_ab64(_pbkdf2('sha256', SALT))}",
    "phc scrypt": f"$scrypt$ln=10,r=8,p=1${_ab64(SALT)}${_ab64(_scrypt(SALT, 32))}",
    "django scrypt": f"scrypt$salty$1024$8$1${_b64(_scrypt(b'salty'))}",
    "werkzeug scrypt": f"scrypt:1024:8:1$salty${_scrypt(b'salty').hex()}",
    "ssha": "{SSHA}" + _b64(hashlib.sha1(RAW + SALT).digest() + SALT),
    "ssha256": "{SSHA256}" + _b64(hashlib.sha256(RAW + SALT).digest() + SALT),
    "ssha512": "{SSHA512}" + _b64(hashlib.sha512(RAW + SALT).digest() + SALT),
    "argon2i": argon2.PasswordHasher(1, 512, 1, type=argon2.Type.I).hash(PASSWORD),
    "argon2id": argon2.PasswordHasher(1, 512, 1).hash(PASSWORD),
    "django argon2": "argon2" + argon2.PasswordHasher(1, 512, 1).hash(PASSWORD),
    "django bcrypt": "bcrypt$" + bcrypt.hashpw(RAW, bcrypt.gensalt(4)).decode(),
    "django bcrypt sha256": "bcrypt_sha256$"
    + bcrypt.hashpw(hashlib.sha256(RAW).hexdigest().encode(), bcrypt.gensalt(4)).decode(),
}


@pytest.fixture(scope="module")
def hashing() -> Hashing:
    return Hashing(FairPool(threads=1))


@pytest.mark.parametrize("stored", MADE.values(), ids=MADE.keys())
async def test_imported_hashes_verify_and_are_replaced(hashing: Hashing, stored: str) -> None:
    """An imported hash verifies, refuses another password, and is replaced by an Argon2id hash."""
    right = await hashing.verify("app", PASSWORD, stored)
    wrong = await hashing.verify("app", PASSWORD + "!", stored)

    assert right.ok
    assert right.rehashed is not None
    assert right.rehashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await hashing.verify("app", PASSWORD, right.rehashed)).ok
    assert not wrong.ok
    assert wrong.rehashed is None
    assert imported_hashes.supported(stored)


async def test_a_password_verifies_in_the_form_in_which_it_was_hashed(hashing: Hashing) -> None:
    """Other systems hashed the bytes that came, which macOS composes differently. We compose them first (NFC), so the
    form that was typed is tried, too; afterwards both forms match."""
    decomposed, composed = "cafe\u0301-olé".replace("é", "e\u0301"), "café-olé"
    stored = bcrypt.hashpw(decomposed.encode(), bcrypt.gensalt(4)).decode()

    typed = await hashing.verify("app", decomposed, stored)

    assert typed.ok
    assert typed.rehashed is not None
    assert (await hashing.verify("app", composed, typed.rehashed)).ok
    assert not (await hashing.verify("app", decomposed + "!", stored)).ok


def test_a_password_of_one_form_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second form costs a second hash, so it is only tried if there is one."""
    tried: list[str] = []

    def verify(spelling: str, _stored: str) -> bool:
        tried.append(spelling)
        return False

    monkeypatch.setattr(imported_hashes, "verify", verify)

    assert not jobs.verify_hash(["plain", "plain"], "stored")

    assert tried == ["plain"]


async def test_firebase(hashing: Hashing) -> None:
    """The example of Firebase's own scrypt repository verifies."""
    stored = (
        "$firebase-scrypt$ln=14,r=8,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjL"
        "NmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qz"
        "rCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
    )

    assert (await hashing.verify("app", "user1password", stored)).ok
    assert not (await hashing.verify("app", "user2password", stored)).ok


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "$2b$31$" + "a" * 53,
        "$pbkdf2-sha256$999999999$c2FsdA$aGFzaGhhc2hoYXNo",
        "$scrypt$ln=30,r=8,p=1$c2FsdA$aGFzaGhhc2hoYXNoaGFzaA",
        "scrypt:1000:8:1$s$" + "00" * 32,
        "{SSHA}eA==",
        "{MD5}eA==",
        "$1$salt$hash",
        "$firebase-scrypt$ln=40,r=8,ss=Bw==,sk=AAAA$AAAA$AAAA",
        "pbkdf2:sha256:10$salt$zz",
        "$2b$04$" + "€" * 53,
        "$2b$04$" + "a" * 53,
        "$argon2id$junk",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21l$AAAA",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21l$AAAAAAAAAAAAAAAAAAAAAB",
        "$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHRzb21l$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=064,t=1,p=1$c29tZXNhbHRzb21l$AAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=16,r=1,p=1$c2FsdA$aGFzaGhhc2hoYXNoaGFzaA",
    ],
)
async def test_hashes_that_cannot_be_are_refused(hashing: Hashing, stored: str) -> None:
    """A malformed or too expensive hash is refused at import and never verifies."""
    assert not imported_hashes.supported(stored)
    assert not (await hashing.verify("app", "x", stored)).ok


_KEY = "A" * 43
_ARGON2 = "$argon2id$v=19$m={},t={},p={}$c29tZXNhbHRzb21l$" + _KEY
_SHA1_BLOCK = _ab64(b"x" * 20)
WORST = {
    "argon2 one lane": (_ARGON2.format(8, 104_166, 1), _ARGON2.format(8, 104_167, 1)),
    "argon2 memory": (_ARGON2.format(262_144, 3, 1), _ARGON2.format(262_145, 1, 1)),
    "argon2 passes": (_ARGON2.format(262_144, 3, 1), _ARGON2.format(262_144, 4, 1)),
    "argon2 lanes": (_ARGON2.format(128, 250, 16), _ARGON2.format(136, 1, 17)),
    "argon2 threads": (_ARGON2.format(128, 250, 16), _ARGON2.format(128, 260, 16)),
    "django argon2": (
        "argon2" + _ARGON2.format(262_144, 3, 1),
        "argon2" + _ARGON2.format(64, 4_000_000_000, 1),
    ),
    "bcrypt": ("$2b$13$" + "." * 53, "$2b$14$" + "." * 53),
    "django bcrypt": ("bcrypt$$2b$13$" + "." * 53, "bcrypt$$2b$14$" + "." * 53),
    "django bcrypt sha256": (
        "bcrypt_sha256$$2b$13$" + "." * 53,
        "bcrypt_sha256$$2b$14$" + "." * 53,
    ),
    "pbkdf2 rounds": (
        f"$pbkdf2-sha1$2000000$c2FsdA${_SHA1_BLOCK}",
        f"$pbkdf2-sha1$2000001$c2FsdA${_SHA1_BLOCK}",
    ),
    "pbkdf2 blocks": (
        "$pbkdf2-sha1$285714$c2FsdA$" + "A" * 171,
        "$pbkdf2-sha1$285715$c2FsdA$" + "A" * 171,
    ),
    "django pbkdf2": (
        f"pbkdf2_sha512$1000000$salt${'A' * 86}",
        f"pbkdf2_sha512$1100000$salt${'A' * 86}",
    ),
    "werkzeug pbkdf2": (
        f"pbkdf2:sha256:1800000$salt${'00' * 32}",
        f"pbkdf2:sha256:1000000$salt${'00' * 64}",
    ),
    "ldap pbkdf2": (
        "{PBKDF2-SHA512}1000000$c2FsdA$" + "A" * 86,
        "{PBKDF2-SHA512}1000000$c2FsdA$" + "A" * 171,
    ),
    "phc scrypt": (
        f"$scrypt$ln=17,r=8,p=1$c2FsdA${_KEY}",
        f"$scrypt$ln=17,r=8,p=2$c2FsdA${_KEY}",
    ),
    "django scrypt": (f"scrypt$salt$131072$8$1${_KEY}", f"scrypt$salt$131072$8$16${_KEY}"),
    "werkzeug scrypt": (
        f"scrypt:32768:8:7$salt${'00' * 64}",
        f"scrypt:32768:8:8$salt${'00' * 64}",
    ),
    "firebase": (
        "$firebase-scrypt$ln=17,r=8,ss=Bw==,sk=AAAA$AAAA$AAAA",
        "$firebase-scrypt$ln=18,r=8,ss=Bw==,sk=AAAA$AAAA$AAAA",
    ),
}
"""By format: the most expensive hash that is accepted, and the next one, which is not."""


@pytest.mark.parametrize(("accepted", "refused"), WORST.values(), ids=WORST.keys())
def test_cost_of_an_imported_hash_is_bounded(accepted: str, refused: str) -> None:
    """One model in seconds and bytes holds for every format. Whatever costs more than a second of
    one core, or more than 256 MiB, is refused with a reason and never computed."""
    assert imported_hashes.refusal(accepted) is None
    assert imported_hashes.refusal(refused)
    with pytest.raises(hash_verifiers.UnknownHash):
        imported_hashes.verifier(refused)


async def test_a_stored_hash_over_the_bound_is_not_computed(
    hashing: Hashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored hash above the limit counts as a wrong password and is not computed."""
    computed: list[str] = []
    monkeypatch.setattr(hash_verifiers, "verify_secret", lambda *of: computed.append("argon2"))
    monkeypatch.setattr(hashing.hasher.__class__, "verify", lambda *of: computed.append("own"))
    phc = "$argon2id$v=19$m=64,t=4000000000,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43

    assert not (await hashing.verify("app", "x", phc)).ok
    assert computed == []


async def test_no_prefix_is_enough(hashing: Hashing) -> None:
    """Every byte counts: a prefix of 72 or 256 bytes does not verify."""
    long = "0123456789" * 20
    stored = await hashing.hash("app", long)

    assert (await hashing.verify("app", long, stored)).ok
    assert not (await hashing.verify("app", long[:72], stored)).ok
    assert not (await hashing.verify("app", long + "0" * 100, await hashing.hash("app", long))).ok


async def test_unicode_is_normalised_once(hashing: Hashing) -> None:
    """Composed and decomposed letters are the same password. Spaces at its ends count."""
    stored = await hashing.hash("app", "cafe\u0301 cre\u0300me ")

    assert (await hashing.verify("app", "café crème ", stored)).ok
    assert not (await hashing.verify("app", "café crème", stored)).ok
    assert normalized("ﬁ") == "ﬁ"  # canonical composition only: no compatibility folding
