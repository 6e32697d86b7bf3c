"""The statement that redeems a device code and starts its token family (RFC 8628 section 3.4)."""

from __future__ import annotations

from typing import Final, NamedTuple

from common.sql import numbered
from oidc.queries.family_start import START_FAMILY, AuditParameters, NewFamily


class DeviceKey(NamedTuple):
    """The device code to consume."""

    device_code_hash: str


REDEEM: Final = numbered(
    f"""
    WITH consumed AS (
        UPDATE device_codes d SET used_at = now()
        WHERE d.app_id = :app_id AND d.device_code_hash = :device_code_hash
          AND d.client_id IS NOT DISTINCT FROM :client_id
          AND d.used_at IS NULL AND d.status = 'approved' AND d.expires_at > now()
        RETURNING 1
    ), {START_FAMILY}
    """,
    NewFamily,
    AuditParameters,
    DeviceKey,
)
"""Of several requests at once only one consumes the code. The client is compared by an operator that no index
serves, so that the key is the only way to the row (docs/adr/0004). If user, session or a revocation forbids the
tokens, it is used up, too."""
