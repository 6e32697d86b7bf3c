"""How often one developer may do in one application what costs more than a page. Each gateway counts its
share in its own memory (gateway/admission/flood_limits.py)."""

from __future__ import annotations

import math
from typing import Final

from common.problems import RateLimited
from gateway.admission.token_bucket import Limit
from gateway.dashboard.visit import Visit

PREVIEWS: Final = Limit("dashboard_preview", 60, 1)
DOMAIN_CHECKS: Final = Limit("dashboard_domain_check", 30, 0.5)


def count(visit: Visit, limit: Limit) -> None:
    """Counts one use by this developer. Raises RateLimited."""
    limits = visit.gateway.limits
    if limits.scale:
        key = visit.ctx.app_id, limit.name, visit.user.session.user_id
        decision = limits.buckets.take(limit, key)
        if not decision.allowed:
            raise RateLimited(retry_after=math.ceil(decision.retry_in))
