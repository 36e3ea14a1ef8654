from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: what is tested here is right or wrong, not fast or slow.
settings.register_profile("parley", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("parley")
