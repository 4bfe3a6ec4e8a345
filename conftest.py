"""Owns what every test of this repository shares: pytester, and a settled hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# CI machines stall: a slow example is no fault of the property.
settings.register_profile("gomem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gomem")
