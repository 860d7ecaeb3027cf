"""Settings that every test shares."""

from hypothesis import HealthCheck, settings

# Times vary on shared machines, so a slow example is no failure.
settings.register_profile("meshops", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meshops")
