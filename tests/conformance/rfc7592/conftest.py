"""Agencies that were invited to register."""

from tests.makers.registering import invite, invited, mutual_tls

__all__ = ["invite", "invited", "mutual_tls"]
