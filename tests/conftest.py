"""Settings that every test shares."""

import os

from hypothesis import HealthCheck, settings

# Times vary on shared machines, so a slow example is no failure; the same examples each time, so that a failure is
# somebody's change. HYPOTHESIS_PROFILE=default explores.
settings.register_profile("meshops", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "meshops"))
