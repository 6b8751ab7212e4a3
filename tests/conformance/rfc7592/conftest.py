"""Agencies that were invited to register."""

from tests.makers.registering import invite, invited

__all__ = ["invite", "invited"]
