"""A digest is recognized under each master key that is configured."""

from __future__ import annotations

import pytest

from aero2.embedded.secrets import master_key
from common.crypto import Keys

OLD, NEW = master_key(), master_key()
ONE, OTHER = Keys.parse(f"{OLD},{NEW}"), Keys.parse(f"{NEW},{OLD}")


@pytest.mark.parametrize(("writer", "reader"), [(ONE, OTHER), (OTHER, ONE)])
def test_a_digest_of_a_replica_with_another_first_key(writer: Keys, reader: Keys) -> None:
    """It is recognized for its purpose and value, and for no other, also when it is shortened."""
    digest = writer.digest("cursor", b"value")

    assert reader.has_made("cursor", b"value", digest)
    assert reader.has_made("cursor", b"value", digest[:16], 16)
    assert not reader.has_made("proof", b"value", digest)
    assert not reader.has_made("cursor", b"other", digest)
    assert not reader.has_made("cursor", b"value", digest[:16])
    assert not reader.has_made("cursor", b"value", b"")
    assert not Keys.parse(master_key()).has_made("cursor", b"value", digest)
