"""Statements that delete expired rows, run as aero2_sweep."""

from __future__ import annotations

from typing import Final

from common.sweeps import Expired

EXPIRED: Final[Expired] = {
    "organization_invitations": """
        -- any-tenant: three months after an invitation has expired
        DELETE FROM organization_invitations WHERE (app_id, id) IN (
            SELECT app_id, id FROM organization_invitations
            WHERE expires_at < now() - interval '90 days' LIMIT 1000
        )
        """,
}
